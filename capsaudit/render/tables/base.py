"""What the documents share."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from capsaudit.render.document import Cell, Document

BLANK = Cell("", None)


@singledispatch
def draw(result: object) -> Document:
    """The document of a result whose module has been imported."""
    raise TypeError(f"no document for {type(result).__name__}")


def setting(value: Any) -> str:
    """A knob's value as people write it: `28`, `512, 1024`, `true`, a table as `key value` pairs."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return ("; " if any(isinstance(item, dict) for item in value) else ", ").join(map(setting, value))
        case dict() if not value:
            return "none"
        case dict():
            return ", ".join(f"{key} {setting(item)}" for key, item in value.items())
        case _:
            return str(value)
