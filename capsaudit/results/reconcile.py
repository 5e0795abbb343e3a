"""What `reconcile` returns."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from capsaudit.knobs import KnobChange
from capsaudit.results.base import Result

KnownKind = Literal["variant", "part", "layer", "tensor", "published"]
Reading = Literal["rounded", "trailing zeros", "cut", "thousands of 1024"]


class Known(Struct, frozen=True, kw_only=True):
    """Something known that has the figure: a shipped variant, a part, layer or tensor of one, or a published figure about one.

    `of`: the variant. `total`: what it comes to; of a published figure the number that it prints. `counting`: conventions other than the usual
    ones. `reading`: how the figure has to be read.
    """

    kind: KnownKind
    of: str
    name: str
    total: int
    source: str
    counting: dict[str, str]
    reading: Reading = "rounded"


Evidence = Literal["strong", "weak", "none", "redundant"]

_RARE, _LIKELY = 0.1, 1.0
"""Explanations expected by chance: below the first the evidence is strong, from the second on there is none."""


def evidence_of(expected: float) -> Evidence:
    """The evidence of an explanation, if so many with as many changes are expected by chance."""
    if expected >= _LIKELY:
        return "none"
    return "weak" if expected >= _RARE else "strong"


class Explanation(Struct, frozen=True, kw_only=True):
    """An interpretation, what it comes to, and the shipped variant that is exactly this network.

    `evidence`: `strong` where chance would hardly give as many explanations with so few changes, `weak` where it might, `none` where it
    would, `redundant` where an explanation before it makes only some of these changes. `confirmed`: the built torch module comes to the same
    total; None where torch was not asked.
    """

    changes: tuple[KnobChange, ...]
    total: int
    rounds_to: str
    assumption_cost: int
    evidence: Evidence
    variant: str | None
    confirmed: bool | None


class ChangeHistogram(Struct, frozen=True, kw_only=True):
    """Interpretations with so many changes: how many agree with the figure, and how many would by chance."""

    changes: int
    found: int
    expected_by_chance: float


class Reconciliation(Result, frozen=True, kw_only=True):
    """The interpretations that agree with a figure: all of them counted, the first of them listed.

    `known`: what has the figure without any search. `read_as`: the figure with the digits that were taken as significant. `interval`: the
    totals that agree with the figure. `space_size`: how many interpretations there are. `examined`: those within the
    allowed number of changes; `impossible`: those of them that no network can have. `below` and `above`: the nearest, where none agrees.
    """

    figure: str
    read_as: str
    known: tuple[Known, ...]
    interval: tuple[int, int]
    start: str = msgspec.field(name="from")
    start_total: int = msgspec.field(name="from_total")
    space: str
    space_size: int
    examined: int
    impossible: int
    complete: bool
    changes_at_most: int | None
    found: int
    by_changes: tuple[ChangeHistogram, ...]
    explanations: tuple[Explanation, ...]
    shipped: tuple[Explanation, ...]
    below: Explanation | None
    above: Explanation | None

    @property
    def agrees(self) -> bool:
        """Something explains the figure."""
        return bool(self.found or self.known)
