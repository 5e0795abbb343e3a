"""What `check` returns."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.results.base import Result
from capsaudit.spec import Value


class Failure(Struct, frozen=True, kw_only=True):
    """A statement that does not hold: what was expected where, and what was found. `file` and `line` say where it is stated."""

    variant: str
    layer: str | None
    what: str
    expected: Value
    found: Value
    file: str | None = None
    line: int | None = None


class Check(Result, frozen=True, kw_only=True):
    """The result of the gate for CI. `checked` counts the statements that were compared; `variants` names where they are made."""

    agrees: bool
    checked: int
    failures: tuple[Failure, ...]
    variants: tuple[str, ...]
