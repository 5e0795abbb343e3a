"""What each part of a network counts, as arrays over the axes that it depends on.

A total is a sum of parts, and each part depends on few knobs: the biases of the first convolution on its channels, the decoder on the
image and the class capsules. So nothing is evaluated over the whole product of all knobs. The sizes in a spec are replaced by arrays, and
the arithmetic turns them into arrays of counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import product
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from capsaudit.arithmetic import layers, sides
from capsaudit.conventions import counted
from capsaudit.errors import CapsauditError
from capsaudit.interpretations.axes import Axis, applied
from capsaudit.knobs import IMAGE_SIZE
from capsaudit.results import Turned
from capsaudit.spec import Baseline, CapsNet, Spec

Array = NDArray[Any]

LARGEST_TABLE = 50_000_000
_EXACT_IN_FLOAT = 2**53
_POSSIBLE = "possible"


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
        CapsauditError: knobs that meet in one part have too many combinations.
    """
    scopes = CAPSNET_SCOPES if isinstance(spec, CapsNet) else baseline_scopes(_most_layers(spec, axes))
    built = _build(scopes, spec, axes, np.float64)
    if sum(table.values.max() for part, table in built.items() if part != _POSSIBLE) >= _EXACT_IN_FLOAT:
        built = _build(scopes, spec, axes, object)  # Python's own integers: slow, and never too small
    else:
        built = {part: Table(part, table.axes, table.values.astype(np.int64)) for part, table in built.items()}
    possible = built.pop(_POSSIBLE)
    return Tables(tuple(axes), tuple(built.values()), Table(_POSSIBLE, possible.axes, possible.values.astype(bool)))


def _build(scopes: dict[str, frozenset[str]], spec: Spec, axes: Sequence[Axis], kind: Any) -> dict[str, Table]:
    return {part: _table(part, scope, spec, axes, kind) for part, scope in scopes.items()}


def spread(table: Table, chosen: Sequence[int], fixed: dict[int, int]) -> Array:
    """A table with some axes fixed, laid out so that it can be added to others over the `chosen` axes."""
    values = table.values[tuple(fixed.get(axis, slice(None)) for axis in table.axes)]
    free = [axis for axis in table.axes if axis not in fixed]
    order = [free.index(axis) for axis in chosen if axis in free]
    sizes = iter(np.transpose(values, order).shape)
    shape = [next(sizes) if axis in free else 1 for axis in chosen]
    return np.transpose(values, order).reshape(shape)


_GEOMETRY = frozenset(
    {
        "image.height",
        "image.width",
        "conv1.kernel",
        "conv1.stride",
        "conv1.padding",
        "primary_caps.kernel",
        "primary_caps.stride",
        "primary_caps.padding",
    }
)
_PAIRS = _GEOMETRY | {"primary_caps.types", "digit_caps.classes"}
_CONVENTIONS = frozenset({"counting.bare_parameters"})

CAPSNET_SCOPES: dict[str, frozenset[str]] = {
    "conv1.weight": frozenset({"image.channels", "conv1.channels", "conv1.kernel"}),
    "conv1.bias": frozenset({"conv1.channels", "conv1.bias", "counting.biases"}),
    "primary_caps.weight": frozenset(
        {"conv1.channels", "primary_caps.types", "primary_caps.dimension", "primary_caps.kernel"}
    ),
    "primary_caps.bias": frozenset(
        {"primary_caps.types", "primary_caps.dimension", "primary_caps.bias", "counting.biases"}
    ),
    "digit_caps.weight": _PAIRS
    | _CONVENTIONS
    | {"primary_caps.dimension", "digit_caps.dimension", "digit_caps.shared_w"},
    "digit_caps.bias": _CONVENTIONS
    | {"digit_caps.classes", "digit_caps.dimension", "digit_caps.bias", "counting.biases"},
    "digit_caps.logits": _PAIRS | _CONVENTIONS | {"digit_caps.logits", "counting.frozen"},
    "digit_caps.buffers": _PAIRS | {"counting.buffers"},
    "digit_caps.coupling": _PAIRS | _CONVENTIONS | {"digit_caps.coupling", "counting.coupling"},
    "fc": frozenset(
        {"image", "digit_caps.classes", "digit_caps.dimension", "decoder", "counting.decoder", "counting.biases"}
    ),
    _POSSIBLE: _GEOMETRY,
}
"""The knobs that each part depends on; a table's name stands for all knobs in it. A test turns every other knob."""


def baseline_scopes(count: int) -> dict[str, frozenset[str]]:
    """The same for a baseline of at most `count` convolutions."""
    scopes: dict[str, frozenset[str]] = {}
    for number in range(1, count + 1):
        before = f"layers.{number - 1}.channels" if number > 1 else "image.channels"
        scopes[f"conv{number}"] = frozenset(
            {before, f"layers.{number}.channels", f"layers.{number}.kernel", "counting.biases"}
        )
    scopes["fc"] = frozenset({"image", "padding", "layers", "fully_connected", "counting.biases"})
    scopes[_POSSIBLE] = frozenset({"image", "padding", "layers"})
    return scopes


def _depends(knob: str, scope: frozenset[str]) -> bool:
    """Also where one names a table and the other a part of it."""
    if knob == IMAGE_SIZE:
        return "image" in scope or "image.height" in scope
    return any(knob == name or knob.startswith(f"{name}.") or name.startswith(f"{knob}.") for name in scope)


def _table(part: str, scope: frozenset[str], spec: Spec, axes: Sequence[Axis], kind: Any) -> Table:
    on = tuple(i for i, axis in enumerate(axes) if any(_depends(knob, scope) for knob in axis.knobs))
    sizes = [len(axes[i]) for i in on]
    if math.prod(sizes) > LARGEST_TABLE:
        knobs = ", ".join(knob for i in on for knob in axes[i].knobs)
        raise CapsauditError(
            f"the space is too large: {knobs} meet in {part}, which would take {math.prod(sizes):,} counts "
            f"(at most {LARGEST_TABLE:,}); list fewer alternatives for some of them"
        )
    values = np.zeros(sizes, dtype=kind)
    numeric = {i: _numbers(axes[i], kind) for i in on}
    ranges = [range(len(axes[i])) if numeric[i] is None else (None,) for i in on]
    for choice in product(*ranges):
        turns = [turn for i, at in zip(on, choice, strict=True) if at is not None for turn in axes[i].options[at]]
        arrays = {
            axes[i].knobs[0]: _along(numbers, on.index(i), len(on)) for i in on if (numbers := numeric[i]) is not None
        }
        index = tuple(slice(None) if at is None else at for at in choice)
        values[index] = _kept(_evaluated(part, spec, turns, arrays), choice)
    return Table(part=part, axes=on, values=values)


def _evaluated(part: str, spec: Spec, turns: Sequence[Turned], arrays: dict[str, Array]) -> Any:
    """The count of one part, or whether the network is possible, where some sizes are arrays."""
    after, counting = applied(spec, turns)
    after = reduce(lambda spec, item: _with_array(spec, *item), arrays.items(), after)
    if part == _POSSIBLE:
        return _possible(after)
    return sum(count for name, count in _parts(after, counting) if name == part)


def _parts(spec: Spec, counting: dict[str, str]) -> Iterator[tuple[str, Any]]:
    for layer, tensor, count in counted(layers(spec), counting):
        if layer.startswith("fc"):
            yield "fc", count
        else:
            yield (f"{layer}.{tensor}" if isinstance(spec, CapsNet) else layer), count


def _possible(spec: Spec) -> Any:
    return reduce(lambda both, size: both & (size >= 1), (size for pair in sides(spec) for size in pair), True)


def _numbers(axis: Axis, kind: Any) -> Array | None:
    """The values along an axis that turns a single size; None where it turns anything else."""
    first, *others = axis.options
    turned = [turn for option in others for turn in option]
    values = [turned[0].before, *(turn.after for turn in turned)] if turned else []
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


def _most_layers(spec: Baseline, axes: Sequence[Axis]) -> int:
    lists = (turn.after for axis in axes for option in axis.options for turn in option if turn.knob == "layers")
    return max(len(spec.layers), *map(len, lists), 0)
