"""What `explain` returns."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from capsaudit.results.base import Result
from capsaudit.spec import Value


class LayerDifference(Struct, frozen=True, kw_only=True):
    """What a step changes in one layer."""

    layer: str
    difference: int


class Step(Struct, frozen=True, kw_only=True):
    """One changed knob: the difference it makes at its place in the order, and the running total.

    `alone`: the difference it makes as the only change to the starting variant; None where that network cannot exist.
    """

    knob: str
    before: Value = msgspec.field(name="from")
    after: Value = msgspec.field(name="to")
    difference: int
    total: int
    layers: tuple[LayerDifference, ...]
    alone: int | None
    source: str | None


class Ledger(Result, frozen=True, kw_only=True):
    """The way from one variant's total to another's, knob by knob. `order`: the groups of knobs in the order in which they are changed."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    start_total: int = msgspec.field(name="from_total")
    steps: tuple[Step, ...]
    difference: int
    order: tuple[str, ...]
