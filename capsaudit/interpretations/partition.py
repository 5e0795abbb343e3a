"""Which axes a search walks through and which it looks up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.interpretations.tables import Tables

LARGEST_WALK = 400_000_000
"""More choices than this take minutes to walk through."""

_LARGEST_LOOKUP = 2_000_000
_SORTING, _LOOKING_UP = 1.0, 1.5
"""What a value costs on either side, relative to each other."""


class Parting(Struct, frozen=True):
    """Positions of axes. No part of a count depends both on the looked-up axes and on a walked one that is not `shared`."""

    shared: tuple[int, ...]
    rest: tuple[int, ...]
    looked_up: tuple[int, ...]

    @property
    def walked(self) -> tuple[int, ...]:
        """The axes that are walked through, the shared ones first."""
        return self.shared + self.rest


def part_axes(tables: Tables) -> Parting:
    """Grow the looked-up side axis by axis, as long as that makes the search cheaper.

    Shapes stay on the walked side, so that what is impossible is left out before anything is looked up.

    Raises:
        CapsauditError: even so there is too much to walk through.
    """
    free = [i for i in range(len(tables.axes)) if i not in tables.possible.axes]
    best = _parting(tables, ())
    starts = [_grown(tables, (axis,), free) for axis in free]
    best = min([best, *starts], key=lambda parting: _cost(tables, parting))
    if (steps := size(tables, best.walked)) > LARGEST_WALK:
        raise CapsauditError(_too_large(tables, best, steps))
    return best


def size(tables: Tables, axes: Iterable[int]) -> int:
    """How many choices these axes have together."""
    return math.prod(len(tables.axes[axis]) for axis in axes)


def _grown(tables: Tables, chosen: tuple[int, ...], free: Sequence[int]) -> Parting:
    """The cheapest parting on the way from `chosen` to all of the free axes, always adding what makes the least cost."""
    best = current = _parting(tables, chosen)
    while left := [axis for axis in free if axis not in current.looked_up]:
        current = min((_parting(tables, (*current.looked_up, axis)) for axis in left), key=lambda p: _cost(tables, p))
        if _cost(tables, current) == math.inf:
            break
        best = min(best, current, key=lambda parting: _cost(tables, parting))
    return best


def _parting(tables: Tables, looked_up: tuple[int, ...]) -> Parting:
    meets = {axis for part in tables.parts if set(part.axes) & set(looked_up) for axis in part.axes}
    shared = tuple(sorted(meets - set(looked_up)))
    rest = tuple(i for i in range(len(tables.axes)) if i not in meets and i not in looked_up)
    return Parting(shared, rest, tuple(sorted(looked_up)))


def _cost(tables: Tables, parting: Parting) -> float:
    lookup = size(tables, parting.shared) * size(tables, parting.looked_up)
    if lookup > _LARGEST_LOOKUP:
        return math.inf
    return _SORTING * lookup + _LOOKING_UP * size(tables, parting.walked)


def _too_large(tables: Tables, parting: Parting, steps: int) -> str:
    held = sorted((tables.axes[i] for i in parting.walked), key=len, reverse=True)
    knobs = ", ".join(f"{' and '.join(axis.knobs)} ({len(axis)})" for axis in held[:3])
    whole = size(tables, range(len(tables.axes)))
    return (
        f"the space is too large: it holds {whole:,} interpretations, and the search would have to walk through {steps:,} of them "
        f"(at most {LARGEST_WALK:,}); list fewer alternatives, most of all for {knobs}"
    )
