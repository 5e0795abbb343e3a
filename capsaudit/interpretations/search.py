"""A meet-in-the-middle search for all interpretations whose totals lie in an interval.

The axes are partitioned into two sides (`partition.py`). What the sorted side counts depends, apart from its own axes, on a few shared ones
only: for each choice of those its totals are sorted once, and each choice of the enumerated side finds its partners there by bisection.
The cost is that of one side, not of the product of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, reduce
from itertools import product

import numpy as np
from msgspec import Struct

from capsaudit.interpretations.axes import Option
from capsaudit.interpretations.partition import partition_axes, size
from capsaudit.interpretations.tables import Array, Tables, spread
from capsaudit.knobs import KnobChange

Interval = tuple[int, int]
Watcher = Callable[[int, int], None]

_AT_ONCE = 1 << 19
_FAR = 2**61
"""Beyond any total that fits an integer of the machine."""


class Interpretation(Struct, frozen=True):
    """An interpretation: its changes and its total."""

    changes: tuple[KnobChange, ...]
    total: int

    @property
    def assumption_cost(self) -> int:
        """What its changes ask a reader to assume, added up."""
        return sum(change.assumption_cost for change in self.changes)


class EnumeratedSide(Struct, frozen=True):
    """Choices of the enumerated side that can exist: total, number of changes, row of the sorted side, place in the grid."""

    totals: Array
    changes: Array
    rows: Array
    places: Array

    def only(self, chosen: Array) -> EnumeratedSide:
        """Some of them."""
        return EnumeratedSide(self.totals[chosen], self.changes[chosen], self.rows[chosen], self.places[chosen])


class SortedSide:
    """One side of the search, sorted by total within the row of each shared choice. `at_most`: only options with so few changes."""

    def __init__(self, totals: Array, changes: Array, at_most: int) -> None:
        self.options = np.flatnonzero(changes <= at_most)
        kept = totals[:, self.options]
        order = np.argsort(kept, axis=1, kind="stable")
        self.order = order.ravel()
        self.changes = changes[self.options][order].ravel()
        self.totals = np.take_along_axis(kept, order, axis=1).ravel()
        self.width = len(self.options)
        self._stride = int(self.totals.max()) + 2  # so that rows, one behind the other, are sorted as a whole
        self._kind = np.int64 if self._stride * len(totals) < _FAR and totals.dtype == np.int64 else object
        self._keys = self.totals.astype(self._kind) + np.repeat(self._row_keys(np.arange(len(totals))), self.width)

    def positions(self, enumerated: EnumeratedSide, bound: int) -> Array:
        """For each enumerated choice, the place of the first partner with which the sum reaches `bound`."""
        nearby = bound if enumerated.totals.dtype == object else max(-_FAR, min(bound, _FAR))
        wanted = np.clip(nearby - enumerated.totals, 0, self._stride - 1)
        places: Array = np.searchsorted(self._keys, wanted.astype(self._kind) + self._row_keys(enumerated.rows))
        return places

    def _row_keys(self, rows: Array) -> Array:
        keys: Array = rows.astype(self._kind) * self._stride
        return keys

    @cached_property
    def running(self) -> Array:
        """For each number of changes, how many entries before each place have it."""
        kinds = np.arange(int(self.changes.max()) + 1)[:, None]
        running = np.zeros((len(kinds), len(self.changes) + 1), dtype=np.int32)
        np.cumsum(self.changes == kinds, axis=1, out=running[:, 1:])
        return running


class Search:
    """The interpretations of a network, to be searched for intervals.

    Raises:
        CapsauditError: the space is too large.
    """

    def __init__(self, tables: Tables, watch: Watcher = lambda *_: None) -> None:
        self._tables, self._watch = tables, watch
        self._partition = partition_axes(tables)
        sorted_axes = set(self._partition.sorted_axes)
        self._enumerated_parts = [part for part in tables.parts if not sorted_axes & set(part.axes)]
        parts = [part for part in tables.parts if sorted_axes & set(part.axes)]
        on = self._partition.shared + self._partition.sorted_axes
        totals = tables.over(on, parts, {}).reshape(size(tables, self._partition.shared), -1)
        self._totals = np.maximum(totals, 0)  # networks that cannot exist may have less; they are never partners
        self._changes = _changes_over(tables, self._partition.sorted_axes)
        self._sorted: dict[int, SortedSide] = {}

    def by_changes(self, interval: Interval) -> Array:
        """How many interpretations have their total in the interval, by number of changes."""
        side = self._side(None)
        counts = np.zeros(1, dtype=np.int64)
        for enumerated in self._enumerate():
            low, high = side.positions(enumerated, interval[0]), side.positions(enumerated, interval[1] + 1)
            hits = np.flatnonzero(high > low)
            for changes, running in enumerate(side.running):
                met = running[high[hits]] - running[low[hits]]
                counts = _added(counts, np.bincount(enumerated.changes[hits] + changes, weights=met))
        return np.trim_zeros(counts, "b")

    def within(self, interval: Interval, *, changes: int) -> Iterator[Interpretation]:
        """Those with at most so many changes and a total in the interval, in no particular order."""
        for enumerated, side in self._pairs(changes):
            low, high = side.positions(enumerated, interval[0]), side.positions(enumerated, interval[1] + 1)
            for hit in np.flatnonzero(high > low):
                for place in range(low[hit], high[hit]):
                    yield self._found(enumerated, int(hit), side, place)

    def nearest(self, interval: Interval, *, changes: int | None) -> tuple[int | None, int | None]:
        """The largest total below the interval and the smallest above it, of those with at most so many changes."""
        below: list[int] = []
        above: list[int] = []
        for enumerated, side in self._pairs(changes):
            low, high = side.positions(enumerated, interval[0]), side.positions(enumerated, interval[1] + 1)
            has_lower = np.flatnonzero(low > enumerated.rows * side.width)
            has_higher = np.flatnonzero(high < (enumerated.rows + 1) * side.width)
            below += _extreme(enumerated.totals[has_lower] + side.totals[low[has_lower] - 1], max)
            above += _extreme(enumerated.totals[has_higher] + side.totals[high[has_higher]], min)
        return max(below, default=None), min(above, default=None)

    def sizes(self, *, changes: int | None) -> tuple[int, int]:
        """How many interpretations there are with at most so many changes, and how many of them can exist."""
        axes, possible = self._tables.axes, self._tables.possible
        shapes = _changes_over(self._tables, possible.axes)[possible.values.ravel()]
        others = [axis.options for i, axis in enumerate(axes) if i not in possible.axes]
        whole = reduce(np.convolve, [_histogram(axis.options) for axis in axes], np.ones(1, dtype=object))
        can_exist = reduce(np.convolve, map(_histogram, others), np.bincount(shapes, minlength=1).astype(object))
        end = None if changes is None else changes + 1
        return int(whole[:end].sum()), int(can_exist[:end].sum())

    def _side(self, at_most: int | None) -> SortedSide:
        most = int(self._changes.max())
        at_most = most if at_most is None else min(at_most, most)
        if at_most not in self._sorted:
            self._sorted[at_most] = SortedSide(self._totals, self._changes, at_most)
        return self._sorted[at_most]

    def _pairs(self, changes: int | None) -> Iterator[tuple[EnumeratedSide, SortedSide]]:
        """Enumerated choices, each with the partners that keep within so many changes."""
        for enumerated in self._enumerate():
            if changes is None:
                yield enumerated, self._side(None)
                continue
            for made in np.flatnonzero(np.bincount(enumerated.changes)[: changes + 1]):
                yield enumerated.only(np.flatnonzero(enumerated.changes == made)), self._side(changes - int(made))

    def _enumerate(self) -> Iterator[EnumeratedSide]:
        """The enumerated side in blocks: leading axes one choice at a time, the others at once."""
        enumerated = self._partition.enumerated
        lead = next(n for n in range(len(enumerated) + 1) if size(self._tables, enumerated[n:]) <= _AT_ONCE)
        choices = list(product(*(range(len(self._tables.axes[axis])) for axis in enumerated[:lead])))
        for done, choice in enumerate(choices):
            self._watch(done, len(choices))
            yield self._block(dict(zip(enumerated[:lead], choice, strict=True)), enumerated[lead:], done)
        self._watch(len(choices), len(choices))

    def _block(self, fixed: dict[int, int], on: tuple[int, ...], number: int) -> EnumeratedSide:
        tables = self._tables
        count = size(tables, on)
        possible = np.broadcast_to(spread(tables.possible, on, fixed), [len(tables.axes[i]) for i in on]).ravel()
        keep = np.flatnonzero(possible)
        places = keep + number * count
        made = sum(len(tables.axes[i].options[at]) for i, at in fixed.items())
        return EnumeratedSide(
            totals=tables.over(on, self._enumerated_parts, fixed).ravel()[keep],
            changes=_changes_over(tables, on)[keep] + made,
            rows=places // size(tables, self._partition.rest),
            places=places,
        )

    def _found(self, enumerated: EnumeratedSide, hit: int, side: SortedSide, place: int) -> Interpretation:
        option = int(side.options[side.order[place]])
        chosen = self._options(self._partition.enumerated, int(enumerated.places[hit]))
        chosen += self._options(self._partition.sorted_axes, option)
        changes = tuple(change for _, made in sorted(chosen) for change in made)
        return Interpretation(changes, int(enumerated.totals[hit]) + int(side.totals[place]))

    def _options(self, on: Sequence[int], place: int) -> list[tuple[int, Option]]:
        """The options at a place of the grid of these axes, each with its axis."""
        sizes = [len(self._tables.axes[i]) for i in on]
        at = np.unravel_index(place, sizes) if sizes else ()
        return [(axis, self._tables.axes[axis].options[int(n)]) for axis, n in zip(on, at, strict=True)]


def _changes_over(tables: Tables, on: Sequence[int]) -> Array:
    """The number of changes at each place of the grid of these axes."""
    made = np.zeros(1, dtype=np.int64)
    for axis in on:
        made = (made[:, None] + np.array([len(option) for option in tables.axes[axis].options])).ravel()
    return made


def _histogram(options: Sequence[Option]) -> Array:
    return np.bincount([len(option) for option in options]).astype(object)


def _added(one: Array, other: Array) -> Array:
    """Two histograms added, the shorter one as if it had zeros behind it."""
    total = np.zeros(max(len(one), len(other)), dtype=np.int64)
    total[: len(one)] += one
    total[: len(other)] += other.astype(np.int64)
    return total


def _extreme(totals: Array, of: Callable[[Array], int]) -> list[int]:
    return [int(of(totals))] if len(totals) else []
