r"""Text that came with a file or a model, made safe to show: what could hide, move or forge anything becomes an escape."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
"""Characters of the Unicode property Default_Ignorable_Code_Point that `str.isprintable` takes for printable: they have no width."""

_COMMAND = re.compile(r"(?<=:):|:\Z|(?<=#)#")
"""CI servers read `::` at the beginning of a line, and `##[` and `##vso[` anywhere in it, as commands. A line may begin at any place of a
text that is wrapped, and a colon may follow the text."""


def escaped(text: str) -> str:
    r"""`text` on one line, each unsafe character as the escape that Python has for it.

    Unsafe are the characters that `repr` escapes (control, format, private and unassigned characters, surrogates, all separators but the space),
    other characters without width, and the colons and hashes that could begin a command of a CI server. Letters of every script,
    combining marks and emoji stay: they are seen. A backslash stays too, so that escaping twice changes nothing and paths are readable;
    where `\n` may be two characters of a name, JSON has the name itself.

    >>> print(escaped("conv\n\x1b[31m\u202e.weight"), escaped("::error::x"), escaped("net.py:Net"))
    conv\n\x1b[31m\u202e.weight :\x3aerror:\x3ax net.py:Net
    """
    return _COMMAND.sub(lambda found: f"\\x{ord(found[0]):02x}", _replaced(text, _python_escape))


def json_escaped(document: str) -> str:
    r"""A document of JSON with the escapes of JSON for the same characters: it contains the same strings.

    >>> print(json_escaped('{"##[error]": "\u202e"}'))
    {"\u0023#[error]": "\u202e"}
    """
    lines = (_replaced(line, lambda character: json.dumps(character)[1:-1]) for line in document.split("\n"))
    return re.sub("#(?=#)", r"\\u0023", "\n".join(lines))


def toml_escaped(document: str) -> str:
    """The same for a document of TOML whose strings are all basic strings."""
    return "\n".join(_replaced(line, _toml_escape) for line in document.split("\n"))


def valid(text: str) -> str:
    r"""`text` with surrogates as their escapes, because they are no valid Unicode: files and other programs refuse them.

    >>> print(valid("a\ud800"))
    a\ud800
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _replaced(text: str, escape: Callable[[str], str]) -> str:
    if is_visible(text):
        return text
    return "".join(character if is_visible(character) else escape(character) for character in text)


def is_visible(text: str) -> bool:
    """Whether each character is seen and takes the place that it is seen at."""
    return text.isprintable() and (text.isascii() or not _INVISIBLE.search(text))


def _python_escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _toml_escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
