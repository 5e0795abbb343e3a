"""Hostile names, results that are full of them, and what no output may contain."""

import re
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import Struct

from capsaudit.results import Reason

FRAGMENTS = (
    *("::error::", "::", ":", "::stop-commands::x", "##[error]", "##vso[task]", "#", "%0A", "%", ","),
    *("\n", "\r", "\r\n", "\t", "\0", "\x07", "\x1b[31m", "\x1b]0;x\x07", "\x7f", "\x85", "\x9b", "\u2028", "\u2029"),
    *("\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\xad", "\xa0", "\ufe0f", "\u3164", "\ud800", "\U000e0041"),
    *("|", "`", "```", "@user", "[x](javascript:alert(1))", "![x](y)", "<script>", "&lt;", "$x$", "*x*", "__x__", "_"),
    *("~~x~~", "# ", "- ", "+ ", "1. ", "> ", "    ", "---", "===", "https://evil.example", "www.evil.example", "#1"),
    *("\\", '"', "'", "]]>", "a", "conv-1", "é", "重み", "שם", " ", "x" * 90),
)
NAMES = st.lists(st.sampled_from(FRAGMENTS), max_size=5).map("".join)

FIXED = (
    "a\n::error::x",
    "::error file=a::x\r##[error]y ##vso[z]\x1b[31m\x07\x9b\u202e\u200b",
    "a|b`c`@user [x](javascript:alert(1)) <script>&lt; $x$ __y__ https://evil.example\ud800",
    "x" * 200 + "::",
    ":",
    "",
)

_NOT_FREE = {"approximation", "count"}
"""Values of reasons that choose a sentence."""


def poisoned(value: Any, name: str, hint: Any = object) -> Any:
    """The same result with `name` in front of each text that may come from a file, behind it too, in keys too."""
    if isinstance(value, Reason):
        values = {key: item if key in _NOT_FREE else poisoned(item, name) for key, item in value.values.items()}
        return Reason(value.code, values)
    if isinstance(value, Struct):
        hints = get_type_hints(type(value))
        return type(value)(**{f: poisoned(getattr(value, f), name, hints[f]) for f in value.__struct_fields__})
    if isinstance(value, str):
        return f"{name}{value}{name}" if _is_free(hint) else value
    if isinstance(value, dict):
        key, item = get_args(hint) or (None, object)
        return {poisoned(k, name, key): poisoned(each, name, item) for k, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([poisoned(item, name, _item(hint)) for item in value])
    return value


def _is_free(hint: Any) -> bool:
    """Whether a field may have any text. (Keys of values of any type are names of fields.)"""
    if get_origin(hint) in (Union, types.UnionType):
        return any(map(_is_free, get_args(hint)))
    return get_origin(hint) is not Literal and hint in (str, object, Any)


def _item(hint: Any) -> Any:
    return next(iter(get_args(hint)), object)


def unsafe(printed: str) -> list[str]:
    """Lines that could hide, move or forge something; empty for safe output."""
    found = [line for line in printed.split("\n") if not line.isprintable() or re.search("[\ufe0f\u3164]", line)]
    found += [line for line in printed.split("\n") if line.lstrip().startswith("::")]
    return found + re.findall(r"##\[|##vso\[", printed)
