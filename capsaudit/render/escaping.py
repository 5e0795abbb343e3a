"""The one place where the texts of a result are made safe, for every format but JSON: before documents and cases are made of it."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from capsaudit.text import escaped, is_visible

T = TypeVar("T")

_LONE_COLON = re.compile('":"[],:}]')
"""In JSON, a text that is a colon and nothing else."""


def with_escapes(value: T) -> T:
    r"""The same value with every text in it escaped, keys too. Line breaks that documents add later are then the only ones.

    >>> with_escapes({"a\n": ["\x1b", 1]})
    {'a\\n': ['\\x1b', 1]}
    """
    if _is_safe(value):
        return value
    safe: T = _escaped(value)
    return safe


def _is_safe(value: object) -> bool:
    """Whether no text needs an escape, for all of them at once: a large model has a million, and nearly always none does.

    In JSON, characters that need an escape are seen or are behind a backslash, and every colon outside of texts is behind a quote.
    """
    try:
        texts = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # a surrogate
        return False
    has_colons = texts.count(":") != texts.count('":') or _LONE_COLON.search(texts)
    return is_visible(texts) and not has_colons and "#" not in texts and "\\" not in texts


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return escaped(value)
        case Struct():
            return _struct(value)
        case dict():
            return {_escaped(key): _escaped(item) for key, item in value.items()}
        case list() | tuple():
            return type(value)([_escaped(item) for item in value])
        case _:
            return value


def _struct(value: Struct) -> Struct:
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    safe = {name: _escaped(field) for name, field in fields.items()}
    changed = {name: field for name, field in safe.items() if field != fields[name]}
    return msgspec.structs.replace(value, **changed) if changed else value
