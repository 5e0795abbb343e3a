"""What `reconcile --model` returns."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.knobs import KnobChange
from capsaudit.results.base import Result
from capsaudit.results.reconcile import ChangeHistogram, Evidence
from capsaudit.selection import Selection


class ModelExplanation(Struct, frozen=True, kw_only=True):
    """A way to count a model that has a figure. `changes`: conventions other than those of the starting selection, and readings of the figure.

    `is_exact`: it comes to the figure itself. `expected_by_chance`: how many ways with as many changes would have the figure if totals were
    spread evenly. `selection`: what a claim would state; null where it cannot be stated.
    """

    changes: tuple[KnobChange, ...]
    total: int
    rounds_to: str
    is_exact: bool
    expected_by_chance: float
    evidence: Evidence
    selection: Selection | None


class SelectionSearch(Struct, frozen=True, kw_only=True):
    """The ways to count a model with at most so many changes that have a figure, fewest changes first. `examined`: how many were tried."""

    examined: int
    changes_at_most: int
    by_changes: tuple[ChangeHistogram, ...]
    explanations: tuple[ModelExplanation, ...]


class ModelReconciliation(Result, frozen=True, kw_only=True):
    """The ways to count somebody's model that have a figure. `total`: its trainable parameters. `interval`: the totals that round to the figure.

    `found`: how many ways there are; `explanations`: the first of them.
    """

    figure: str
    target: str
    interval: tuple[int, int]
    total: int
    examined: int
    changes_at_most: int
    found: int
    by_changes: tuple[ChangeHistogram, ...]
    explanations: tuple[ModelExplanation, ...]
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Something explains the figure."""
        return self.found > 0
