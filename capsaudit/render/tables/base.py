"""What the documents of several commands share."""

from __future__ import annotations

from collections.abc import Iterable

from capsaudit.knobs import KnobChange
from capsaudit.render.document import Cell
from capsaudit.spec import Value

BLANK = Cell("", None)


def setting(value: Value) -> str:
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


def changes(made: Iterable[KnobChange], between: str = "; ") -> str:
    """Changed knobs with their values before and after."""
    return between.join(map(_change, made))


def _change(change: KnobChange) -> str:
    before = "" if isinstance(change.before, dict) else f" {setting(change.before)}"
    return f"{change.knob}{before} → {setting(change.after)}"
