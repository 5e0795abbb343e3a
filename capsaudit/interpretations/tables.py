"""What each part of a network counts, as arrays over the axes that it depends on.

A total is a sum of parts, and each part depends on few knobs: the biases of the first convolution on its channels, the decoder on the
image and the class capsules. So nothing is evaluated over the whole product of all knobs. The sizes in a spec are replaced by arrays, and
the arithmetic changes them into arrays of counts.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from itertools import product
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from capsaudit.conventions import counted
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of, layers, sides
from capsaudit.families.base import POSSIBLE
from capsaudit.interpretations.axes import Axis, applied
from capsaudit.knobs import IMAGE_SIZE, KnobChange
from capsaudit.spec import Spec

Array = NDArray[Any]

LARGEST_TABLE = 50_000_000
_EXACT_IN_FLOAT = 2**53


class Table(Struct, frozen=True):
    """Counts of one part over some of the axes, one dimension for each of `axes`, which are positions in order."""

    part: str
    axes: tuple[int, ...]
    values: Array


class Tables(Struct, frozen=True):
    """All parts of the count, and over the axes that shapes depend on, whether such a network can exist."""

    axes: tuple[Axis, ...]
    parts: tuple[Table, ...]
    possible: Table

    def over(self, chosen: Sequence[int], parts: Sequence[Table], fixed: dict[int, int]) -> Array:
        """The sum of `parts` as an array over the `chosen` axes, where the `fixed` ones have one option each."""
        total: Array = np.zeros([len(self.axes[axis]) for axis in chosen], dtype=self._kind)
        for part in parts:
            total = np.asarray(total + spread(part, chosen, fixed), dtype=self._kind)
        return total

    @property
    def _kind(self) -> Any:
        return object if any(part.values.dtype == object for part in self.parts) else np.int64


def tables(spec: Spec, axes: Sequence[Axis]) -> Tables:
    """The tables of a network's parts over these axes.

    Raises:
        CapsauditError: knobs that enter one part have too many combinations.
    """
    scopes = family_of(spec).scopes(spec, _values(axes))
    built = _build(scopes, spec, axes, np.float64)
    if sum(table.values.max() for part, table in built.items() if part != POSSIBLE) >= _EXACT_IN_FLOAT:
        built = _build(scopes, spec, axes, object)  # Python integers: slow, but of any size
    else:
        built = {part: Table(part, table.axes, table.values.astype(np.int64)) for part, table in built.items()}
    possible = built.pop(POSSIBLE)
    return Tables(tuple(axes), tuple(built.values()), Table(POSSIBLE, possible.axes, possible.values.astype(bool)))


def _build(scopes: dict[str, frozenset[str]], spec: Spec, axes: Sequence[Axis], kind: Any) -> dict[str, Table]:
    return {part: _table(part, scopes, spec, axes, kind) for part in scopes}


def spread(table: Table, chosen: Sequence[int], fixed: dict[int, int]) -> Array:
    """A table with some axes fixed, laid out so that it can be added to others over the `chosen` axes."""
    values = table.values[tuple(fixed.get(axis, slice(None)) for axis in table.axes)]
    free = [axis for axis in table.axes if axis not in fixed]
    order = [free.index(axis) for axis in chosen if axis in free]
    sizes = iter(np.transpose(values, order).shape)
    shape = [next(sizes) if axis in free else 1 for axis in chosen]
    return np.transpose(values, order).reshape(shape)


def _values(axes: Sequence[Axis]) -> dict[str, list[Any]]:
    """The values that the options of these axes give each knob."""
    values: dict[str, list[Any]] = {}
    for change in (change for axis in axes for option in axis.options for change in option):
        values.setdefault(change.knob, []).append(change.after)
    return values


def _depends(knob: str, scope: frozenset[str]) -> bool:
    """Also where one names a table and the other a part of it."""
    if knob == IMAGE_SIZE:
        return "image" in scope or "image.height" in scope
    return any(knob == name or knob.startswith(f"{name}.") or name.startswith(f"{knob}.") for name in scope)


def _table(part: str, scopes: Mapping[str, frozenset[str]], spec: Spec, axes: Sequence[Axis], kind: Any) -> Table:
    on = tuple(i for i, axis in enumerate(axes) if any(_depends(knob, scopes[part]) for knob in axis.knobs))
    sizes = [len(axes[i]) for i in on]
    if math.prod(sizes) > LARGEST_TABLE:
        knobs = ", ".join(knob for i in on for knob in axes[i].knobs)
        raise CapsauditError(
            f"the space is too large: {knobs} all enter {part}, which would take {math.prod(sizes):,} counts "
            f"(at most {LARGEST_TABLE:,}); list fewer alternatives for some of them"
        )
    values = np.zeros(sizes, dtype=kind)
    numeric = {i: _numbers(axes[i], kind) for i in on}
    ranges = [range(len(axes[i])) if numeric[i] is None else (None,) for i in on]
    for choice in product(*ranges):
        changes = [change for i, at in zip(on, choice, strict=True) if at is not None for change in axes[i].options[at]]
        arrays = {
            axes[i].knobs[0]: _along(numbers, on.index(i), len(on)) for i in on if (numbers := numeric[i]) is not None
        }
        index = tuple(slice(None) if at is None else at for at in choice)
        values[index] = _kept(_evaluated(part, scopes, spec, changes, arrays), choice)
    return Table(part=part, axes=on, values=values)


def _evaluated(
    part: str, scopes: Collection[str], spec: Spec, changes: Sequence[KnobChange], arrays: dict[str, Array]
) -> Any:
    """The count of one part, or whether the network is possible, where some sizes are arrays."""
    after, counting = applied(spec, changes)
    after = reduce(lambda spec, item: _with_array(spec, *item), arrays.items(), after)
    if part == POSSIBLE:
        return _possible(after)
    found = counted(layers(after), counting)
    return sum(tensor.count for layer, tensor in found if _part_of(layer, tensor.name, scopes) == part)


def _part_of(layer: str, tensor: str, scopes: Collection[str]) -> str:
    """The part that a tensor belongs to: a part of its own, its layer, or all layers of its kind."""
    return next(name for name in (f"{layer}.{tensor}", layer, layer.rstrip("0123456789")) if name in scopes)


def _possible(spec: Spec) -> Any:
    return reduce(lambda both, size: both & (size >= 1), (size for pair in sides(spec) for size in pair), True)


def _numbers(axis: Axis, kind: Any) -> Array | None:
    """The values along an axis that changes a single size; None where it changes anything else."""
    first, *others = axis.options
    made = [change for option in others for change in option]
    values = [made[0].before, *(change.after for change in made)] if made else []
    if first or len(axis.knobs) != 1 or len(values) != len(axis.options):
        return None
    if axis.knobs[0].endswith("padding") or any(type(value) is not int for value in values):
        return None  # padding may also be a word, so the arithmetic asks which
    return np.array(values, dtype=kind)


def _along(numbers: Array, place: int, dimensions: int) -> Array:
    """Numbers along one of several dimensions."""
    return numbers.reshape([-1 if i == place else 1 for i in range(dimensions)])


def _kept(value: Any, choice: tuple[int | None, ...]) -> Any:
    """An evaluated array without the dimensions of the options that were chosen one by one."""
    if not isinstance(value, np.ndarray):
        return value
    return value[tuple(0 if at is not None else slice(None) for at in choice)]


def _with_array(spec: Any, knob: str, array: Array) -> Any:
    """A spec with an array in the place of a size."""
    if knob == IMAGE_SIZE:
        return _with_array(_with_array(spec, "image.height", array), "image.width", array)
    head, _, rest = knob.partition(".")
    if isinstance(spec, tuple):
        at = int(head) - 1
        return (*spec[:at], _with_array(spec[at], rest, array), *spec[at + 1 :])
    return msgspec.structs.replace(spec, **{head: _with_array(getattr(spec, head), rest, array) if rest else array})
