"""Which tensors play which role in a capsule network, inferred from shapes alone: names and orders of axes differ from author to author.

Eight convolutions of 32 channels, 32 of 8 and one of 256 are the same primary layer; a W of [10, 1152, 8, 16], [1, 1152, 10, 16, 8] or
[1152, 8, 160] is the same W.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import product

from msgspec import Struct

from capsaudit.arithmetic import Shape
from capsaudit.inventory import Inventory, InventoryTensor
from capsaudit.spec import Padding

_LAYOUTS = 8
"""How many layouts of one W are tried, the likeliest first."""


class Group(Struct, frozen=True):
    """Tensors that are one layer of the network, in one module."""

    tensors: tuple[InventoryTensor, ...] = ()

    @property
    def weight(self) -> Shape:
        """The shape of its first tensor of two axes or more."""
        return next((tensor.shape for tensor in self.tensors if len(tensor.shape) > 1), ())

    @property
    def has_bias(self) -> bool:
        """Whether there is a vector beside the weight."""
        return any(len(tensor.shape) == 1 for tensor in self.tensors)


class WeightLayout(Struct, frozen=True):
    """A way to read DigitCaps' W: so many matrices from `dimension_in` to `dimension` for each class."""

    matrices: int
    classes: int
    dimension_in: int
    dimension: int


class Roles(Struct, frozen=True):
    """The layers of a capsule network as found in a model. `layouts` of its W, the likeliest first; `others` are tensors without a role."""

    conv1: Group
    primary: Group
    primary_channels: int
    w: InventoryTensor
    layouts: tuple[WeightLayout, ...]
    decoder: tuple[Group, ...]
    others: tuple[InventoryTensor, ...]


def roles(inventory: Inventory) -> Roles | None:
    """The roles that the tensors play; None where they form no capsule network."""
    if sum(len(tensor.shape) == 4 for tensor in inventory.tensors) < 2:
        return None  # fewer than two convolutions: quick also for a file of 100,000 tensors
    groups = groups_of(inventory)
    every = [tensor for group in groups for tensor in group.tensors]
    pair = _convolutions([group for group in groups if is_convolution(group)])
    if pair is None:
        return None
    conv1, primaries = pair
    channels = sum(group.weight[0] for group in primaries)
    decoder = tuple(chain([group for group in groups if is_linear(group)]))
    taken = {t.name for group in (conv1, *primaries, *decoder) for t in group.tensors}
    bare = [t for t in every if t.name not in taken]
    found = _find_w(bare, channels, decoder[0].weight[1] if decoder else None)
    if found is None:
        return None
    w, found_layouts = found
    return Roles(
        conv1=conv1,
        primary=Group(tuple(t for group in primaries for t in group.tensors)),
        primary_channels=channels,
        w=w,
        layouts=found_layouts,
        decoder=decoder,
        others=tuple(t for t in bare if t is not w),
    )


def sizes(shape: Iterable[int]) -> tuple[int, ...]:
    """The sizes of a shape without its ones."""
    return tuple(size for size in shape if size != 1)


def groups_of(inventory: Inventory) -> list[Group]:
    """Distinct parameters by the path of their module, in order."""
    by_layer: dict[str, list[InventoryTensor]] = {}
    for tensor in inventory.tensors:
        if not tensor.buffer and tensor.same_as is None:
            by_layer.setdefault(tensor.layer, []).append(tensor)
    return [Group(tuple(found)) for found in by_layer.values()]


def _convolutions(groups: Sequence[Group]) -> tuple[Group, list[Group]] | None:
    """The first convolution, and those of one kernel size that take what it gives."""
    for first in groups:
        fed = [g for g in groups if g is not first and g.weight[1] == first.weight[0]]
        if alike := [g for g in fed if g.weight[2:] == fed[0].weight[2:]]:
            return first, alike
    return None


def is_convolution(group: Group) -> bool:
    """A square kernel, with or without a bias for each of its channels."""
    shape = group.weight
    return (
        len(shape) == 4 and shape[2] == shape[3] and "Transpose" not in group.tensors[0].kind and _rest_is_bias(group)
    )


def is_linear(group: Group) -> bool:
    """A matrix with a bias for each of its rows; without one its class must be a Linear."""
    named = group.tensors[0].kind.endswith("Linear")
    return len(group.weight) == 2 and _rest_is_bias(group) and (group.has_bias or named)


def _rest_is_bias(group: Group) -> bool:
    rest = [tensor.shape for tensor in group.tensors if len(tensor.shape) <= 1]
    return (
        len(group.tensors) <= 2
        and len(group.tensors) == len(rest) + 1
        and all(shape == group.weight[:1] for shape in rest)
    )


def as_padding(found: int | str) -> Padding:
    """The padding of a torch convolution as a knob: none at all is `valid`."""
    return "same" if found == "same" else found if isinstance(found, int) and found else "valid"


def chain(groups: Sequence[Group]) -> Iterator[Group]:
    """Layers of which each takes what the one before it gives, from the first on."""
    before: Group | None = None
    for group in groups:
        if before is None or group.weight[1] == before.weight[0]:
            yield group
            before = group


def _find_w(
    tensors: Sequence[InventoryTensor], channels: int, inputs: int | None
) -> tuple[InventoryTensor, tuple[WeightLayout, ...]] | None:
    """The largest tensor that can be W, with its likeliest layouts."""
    for tensor in sorted(tensors, key=lambda tensor: -tensor.count):
        if len(sizes(tensor.shape)) < 3:
            continue
        fitting = {w: splits for w, splits in layouts_of(tensor.shape).items() if _fits(w, channels, inputs)}
        if fitting:
            ranked = sorted(
                fitting, key=lambda w: (not _whole(w, channels), fitting[w] + _unusual(w), -w.matrices, w.classes)
            )
            return tensor, tuple(ranked[:_LAYOUTS])
    return None


def layouts_of(shape: Shape) -> dict[WeightLayout, int]:
    """Every way to read a shape as matrices × classes × dimension in × dimension out, axes in any order, up to one of them split; and
    how many axes have to be split or joined for it: none where each has an axis of its own.

    >>> layouts_of((1, 1152, 10, 16, 8))[WeightLayout(1152, 10, 8, 16)], layouts_of((1152, 8, 160))[WeightLayout(1152, 10, 8, 16)]
    (0, 1)
    """
    axes = sizes(shape)
    found = _labelled(axes, splits=0)
    if len(axes) < 4:  # an axis of its own for each needs no splitting
        for at, size in enumerate(axes):
            for factor in _factors(size):
                split = _labelled(_split(axes, at, factor), splits=1)
                found |= {w: splits for w, splits in split.items() if splits < found.get(w, splits + 1)}
    return found


def _labelled(parts: tuple[int, ...], *, splits: int) -> dict[WeightLayout, int]:
    """Each part assigned to one of the four sizes; each of the last three gets at least one."""
    found: dict[WeightLayout, int] = {}
    for labels in _labels(len(parts)):
        sizes_of = [1, 1, 1, 1]
        for size, label in zip(parts, labels, strict=True):
            sizes_of[label] *= size
        w, more = WeightLayout(*sizes_of), splits + len(parts) - len(set(labels))
        found[w] = min(found.get(w, more), more)
    return found


@cache
def _labels(count: int) -> tuple[tuple[int, ...], ...]:
    return tuple(labels for labels in product(range(4), repeat=count) if set(labels) >= {1, 2, 3})


def _split(axes: tuple[int, ...], at: int, factor: int) -> tuple[int, ...]:
    return (*axes[:at], factor, axes[at] // factor, *axes[at + 1 :])


def _factors(size: int) -> Iterator[int]:
    """Factors other than one and itself; of a huge size only small ones, which is where classes and dimensions are."""
    yield from (factor for factor in range(2, min(size // 2, 256) + 1) if size % factor == 0)


def _fits(w: WeightLayout, channels: int, inputs: int | None) -> bool:
    """Whether the primary layer can be cut into such capsules, and the decoder take what the class capsules give: all or one."""
    return channels % w.dimension_in == 0 and inputs in (None, w.classes * w.dimension, w.dimension)


def _whole(w: WeightLayout, channels: int) -> bool:
    """Whether the matrices are one for each capsule of a whole square grid, or shared."""
    types = channels // w.dimension_in
    grid = math.isqrt(w.matrices // types)
    return w.matrices in (1, types) or (grid > 0 and grid * grid * types == w.matrices)


def _unusual(w: WeightLayout) -> int:
    """How many of the usual sizes differ."""
    return (w.classes != 10) + (w.dimension_in != 8) + (w.dimension != 16)
