"""Which axes a search enumerates and which it sorts and bisects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.interpretations.tables import Tables

LARGEST_ENUMERATION = 400_000_000
"""More choices than this take minutes to enumerate."""

_LARGEST_SORT = 2_000_000
_SORT_COST, _BISECT_COST = 1.0, 1.5
"""Cost of a value on the sorted and on the enumerated side, relative to each other."""


class Partition(Struct, frozen=True):
    """Positions of axes. No part of a count depends both on the sorted axes and on an enumerated one that is not `shared`."""

    shared: tuple[int, ...]
    rest: tuple[int, ...]
    sorted_axes: tuple[int, ...]

    @property
    def enumerated(self) -> tuple[int, ...]:
        """The axes that are enumerated, the shared ones first."""
        return self.shared + self.rest


def partition_axes(tables: Tables) -> Partition:
    """Grow the sorted side axis by axis, as long as that makes the search cheaper.

    Shapes stay on the enumerated side, so that impossible networks are left out before anything is bisected.

    Raises:
        CapsauditError: even so there is too much to enumerate.
    """
    free = [i for i in range(len(tables.axes)) if i not in tables.possible.axes]
    best = _partition(tables, ())
    starts = [_grown(tables, (axis,), free) for axis in free]
    best = min([best, *starts], key=lambda partition: _cost(tables, partition))
    if (steps := size(tables, best.enumerated)) > LARGEST_ENUMERATION:
        raise CapsauditError(_too_large(tables, best, steps))
    return best


def size(tables: Tables, axes: Iterable[int]) -> int:
    """How many choices these axes have together."""
    return math.prod(len(tables.axes[axis]) for axis in axes)


def _grown(tables: Tables, chosen: tuple[int, ...], free: Sequence[int]) -> Partition:
    """The cheapest partition on the way from `chosen` to all of the free axes, always adding what makes the least cost."""
    best = current = _partition(tables, chosen)
    while left := [axis for axis in free if axis not in current.sorted_axes]:
        current = min(
            (_partition(tables, (*current.sorted_axes, axis)) for axis in left), key=lambda p: _cost(tables, p)
        )
        if _cost(tables, current) == math.inf:
            break
        best = min(best, current, key=lambda partition: _cost(tables, partition))
    return best


def _partition(tables: Tables, sorted_axes: tuple[int, ...]) -> Partition:
    touched = {axis for part in tables.parts if set(part.axes) & set(sorted_axes) for axis in part.axes}
    shared = tuple(sorted(touched - set(sorted_axes)))
    rest = tuple(i for i in range(len(tables.axes)) if i not in touched and i not in sorted_axes)
    return Partition(shared, rest, tuple(sorted(sorted_axes)))


def _cost(tables: Tables, partition: Partition) -> float:
    sort_size = size(tables, partition.shared) * size(tables, partition.sorted_axes)
    if sort_size > _LARGEST_SORT:
        return math.inf
    return _SORT_COST * sort_size + _BISECT_COST * size(tables, partition.enumerated)


def _too_large(tables: Tables, partition: Partition, steps: int) -> str:
    largest = sorted((tables.axes[i] for i in partition.enumerated), key=len, reverse=True)
    knobs = ", ".join(f"{' and '.join(axis.knobs)} ({len(axis)})" for axis in largest[:3])
    whole = size(tables, range(len(tables.axes)))
    return (
        f"the space is too large: it has {whole:,} interpretations, of which the search would have to enumerate {steps:,} "
        f"(at most {LARGEST_ENUMERATION:,}); list fewer alternatives, most of all for {knobs}"
    )
