"""What `reconcile` returns."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from capsaudit.results.base import Result


class Turned(Struct, frozen=True, kw_only=True):
    """A knob that an interpretation sets otherwise than the starting variant. `same_count`: what always comes to the same count."""

    knob: str
    before: Any = msgspec.field(name="from")
    after: Any = msgspec.field(name="to")
    far_fetched: int
    source: str
    same_count: str | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """An interpretation, what it comes to, and the shipped variant that is just that.

    `confirmed`: the built torch module comes to the same total; None where torch was not asked. `weight`: `telling`, `may be chance`,
    `chance would do`, or `more than needed` where an explanation before it makes some of its changes only.
    """

    changes: tuple[Turned, ...]
    total: int
    prints_as: str
    far_fetched: int
    weight: str
    variant: str | None
    confirmed: bool | None


class OfSoManyChanges(Struct, frozen=True, kw_only=True):
    """Interpretations with so many changes: how many explain the figure, and how many would if figures fell by chance."""

    changes: int
    found: int
    expected_by_chance: float


class Reconciliation(Result, frozen=True, kw_only=True):
    """The interpretations that print as a figure: all of them counted, the first of them shown.

    `interval`: the totals that print as the figure. `examined`: interpretations within the allowed number of changes; `impossible`:
    those among them that no network can have. `below` and `above`: the nearest, where none prints as the figure.
    """

    figure: str
    interval: tuple[int, int]
    start: str = msgspec.field(name="from")
    start_total: int = msgspec.field(name="from_total")
    space: str
    holds: int
    examined: int
    impossible: int
    complete: bool
    changes_at_most: int | None
    found: int
    by_changes: tuple[OfSoManyChanges, ...]
    explanations: tuple[Explanation, ...]
    shipped: tuple[Explanation, ...]
    below: Explanation | None
    above: Explanation | None

    @property
    def agrees(self) -> bool:
        """Something explains the figure."""
        return bool(self.found)
