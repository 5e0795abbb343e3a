"""Which tensors play which role in a capsule network, inferred from shapes alone: names and orders of axes differ from author to author.

Eight convolutions of 32 channels, 32 of 8 and one of 256 are the same primary layer; a W of [10, 1152, 8, 16], [1, 1152, 10, 16, 8] or
[1152, 8, 160] is the same W.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

from msgspec import Struct

from capsaudit.arithmetic import Shape
from capsaudit.inventory import Inventory, InventoryTensor
from capsaudit.spec import Padding

_LAYOUTS = 8
"""How many layouts of one W are tried, the likeliest first."""

_TENSORS = 12
"""How many tensors are tried as W, the largest first: in a file, a convolution without a bias looks like one as well."""

_CONVOLUTION = re.compile(r"Convolution|\w*Conv\w*[123]d\w*")
"""What the classes of convolutions are called, also those that people derive: `Conv2d`, `ConvTranspose2d`, `StdConv2d`."""

_WORD = re.compile(r"[A-Za-z]+|[0-9]+")
_ROLES = ("w", "weight", "weights", "kernel", "b", "bias", "biases")


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
    """The layers of a capsule network as found in a model, with one layout of its W. `others` are tensors without a role.

    `image_channels`: what the convolutions before `conv1` take, or `conv1` itself where there are none. `certain`: each size of W has an axis
    of its own, so that the layout is no guess.
    """

    image_channels: int
    conv1: Group
    primary: Group
    primary_channels: int
    w: InventoryTensor
    layout: WeightLayout
    certain: bool
    decoder: tuple[Group, ...]
    others: tuple[InventoryTensor, ...]
    bare: tuple[InventoryTensor, ...]
    """Those of the others that belong to no usual layer."""

    @property
    def left_over(self) -> int:
        """How many values have no role."""
        return sum(tensor.count for tensor in self.others)


def roles(inventory: Inventory) -> Iterator[Roles]:
    """Every way in which layers of the model chain as in a capsule network, the likeliest layout of a W first."""
    groups = groups_of(inventory)
    convolutions = [group for group in groups if is_convolution(group)]
    linear = [group for group in groups if is_linear(group)]
    bare = [tensor for group in groups if is_bare(group) for tensor in group.tensors]
    candidates = {tensor.shape: tensor for tensor in reversed(bare) if len(sizes(tensor.shape)) >= 3}
    if not candidates:
        return
    square = all(example[-1:] == example[-2:-1] for example in inventory.examples)
    largest = sorted(candidates.values(), key=lambda tensor: -tensor.count)[:_TENSORS]
    for conv1, primaries in _pairs(convolutions):
        channels = sum(group.weight[0] for group in primaries)
        image_channels = _image_channels(conv1, convolutions)
        for w in largest:
            for layout in _likeliest(w.shape, channels, square=square):
                for decoder in decoders(linear, layout.classes, layout.dimension, image_channels, inventory.examples):
                    taken = {w.name, *(t.name for group in (conv1, *primaries, *decoder) for t in group.tensors)}
                    yield Roles(
                        image_channels=image_channels,
                        conv1=conv1,
                        primary=Group(tuple(t for group in primaries for t in group.tensors)),
                        primary_channels=channels,
                        w=w,
                        layout=layout,
                        certain=len(sizes(w.shape)) > 3,
                        decoder=decoder,
                        others=tuple(t for group in groups for t in group.tensors if t.name not in taken),
                        bare=tuple(t for t in bare if t.name not in taken),
                    )


def sizes(shape: Iterable[int]) -> tuple[int, ...]:
    """The sizes of a shape without its ones."""
    return tuple(size for size in shape if size != 1)


def groups_of(inventory: Inventory) -> list[Group]:
    """Distinct parameters by the path of their module, in order; where a module itself has several weights, each with its own bias."""
    by_layer: dict[str, list[InventoryTensor]] = {}
    for tensor in inventory.tensors:
        if not tensor.buffer and tensor.same_as is None:
            by_layer.setdefault(tensor.layer, []).append(tensor)
    return [group for found in by_layer.values() for group in _by_weight(found)]


def _by_weight(tensors: Sequence[InventoryTensor]) -> list[Group]:
    """A group for each name without its word for weight or bias: `conv1_w` and `conv1_b`, or `W1` and `b1`, belong together."""
    if sum(len(tensor.shape) > 1 for tensor in tensors) < 2:
        return [Group(tuple(tensors))]
    by_name: dict[str, list[InventoryTensor]] = {}
    for tensor in tensors:
        words = _WORD.findall(tensor.name.rpartition(".")[2])
        by_name.setdefault(" ".join(w for w in words if w.lower() not in _ROLES), []).append(tensor)
    return [Group(tuple(found)) for found in by_name.values()]


def is_convolution(group: Group) -> bool:
    """A square kernel, with or without a bias for each of its channels. Without one its class says so, or in a file its odd size."""
    shape, kind = group.weight, group.tensors[0].kind
    if len(shape) != 4 or shape[2] != shape[3] or "Transpose" in kind or not _rest_is_bias(group):
        return False
    return group.has_bias or (_says_convolution(group) if kind else shape[2] % 2 == 1)


def _says_convolution(group: Group) -> bool:
    first = group.tensors[0]
    return bool(_CONVOLUTION.fullmatch(first.kind)) and first.name.endswith("weight")


def is_linear(group: Group) -> bool:
    """A matrix with a bias for each of its rows; without one its class must be a Linear."""
    named = group.tensors[0].kind.endswith("Linear")
    return len(group.weight) == 2 and _rest_is_bias(group) and (group.has_bias or named)


def is_norm(group: Group) -> bool:
    """Scale and shift: two vectors of one length and nothing else."""
    shapes = [tensor.shape for tensor in group.tensors]
    return len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 1


def is_bare(group: Group) -> bool:
    """Parameters that belong to no usual layer: no convolution of any kind, no matrix with its bias, no scale and shift."""
    usual = (_is_biased, _says_convolution, is_convolution, is_linear, is_norm)
    return not any(is_usual(group) for is_usual in usual)


def _is_biased(group: Group) -> bool:
    """A weight of three or more axes with a bias for its first or, where a convolution is transposed, its second."""
    biases = [tensor.shape for tensor in group.tensors if len(tensor.shape) == 1 and tensor.name.endswith("bias")]
    return len(group.tensors) == 2 and len(group.weight) >= 3 and biases in ([group.weight[:1]], [group.weight[1:2]])


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


def _pairs(convolutions: Sequence[Group]) -> Iterator[tuple[Group, list[Group]]]:
    """A convolution, and those of one shape that take what it gives: all of them, or the first alone. Of equal shapes, the first."""
    firsts = {group.weight: group for group in reversed(convolutions)}
    for first in reversed(firsts.values()):
        alike: dict[Shape, list[Group]] = {}
        for group in convolutions:
            if group is not first and group.weight[1] == first.weight[0]:
                alike.setdefault(group.weight, []).append(group)
        for fed in alike.values():
            yield first, fed
            if len(fed) > 1:
                yield first, fed[:1]


def _image_channels(conv1: Group, convolutions: Sequence[Group]) -> int:
    """What the first convolution takes of those that lead to `conv1`."""
    channels = conv1.weight[1]
    before = next(n for n, group in enumerate(convolutions) if group is conv1)
    for group in reversed(convolutions[:before]):
        if group.weight[0] == channels:
            channels = group.weight[1]
    return channels


def decoders(
    linear: Sequence[Group], classes: int, dimension: int, channels: int, examples: Sequence[Shape]
) -> Iterator[tuple[Group, ...]]:
    """Fully connected layers from what the class capsules give, all or one, to the pixels of an image; or none."""
    for start, group in enumerate(linear):
        if group.weight[1] in (classes * dimension, dimension):
            found = list(chain(linear[start:]))
            while found and not _is_image(found[-1].weight[0], channels, examples):
                found.pop()
            if found:
                yield tuple(found)
    yield ()


def _is_image(values: int, channels: int, examples: Sequence[Shape]) -> bool:
    """Whether there are as many as pixels in the image that it was run with, or in a square one."""
    side = math.isqrt(values // channels)
    return values == channels * side**2 or values in map(math.prod, examples)


def _likeliest(shape: Shape, channels: int, *, square: bool) -> list[WeightLayout]:
    """The layouts of a W for capsules that are cut from so many channels."""
    fitting = [(splits, w) for w, splits in layouts_of(shape).items() if _fits(w, channels, square=square)]
    ranked = sorted(fitting, key=lambda each: (each[0] + _unusual(each[1]), -each[1].matrices, each[1].classes))
    return [w for _, w in ranked[:_LAYOUTS]]


def layouts_of(shape: Shape) -> dict[WeightLayout, int]:
    """Every way to read a shape as matrices × classes × dimension in × dimension out, axes in any order; and how many axes are split for it.

    Each size has an axis of its own. Where there are more than four, the matrices have several: the type and place of a capsule. Where there
    are three, each class has one matrix, or one axis is split.

    >>> layouts_of((1, 1152, 10, 16, 8))[WeightLayout(1152, 10, 8, 16)], layouts_of((1152, 8, 160))[WeightLayout(1152, 10, 8, 16)]
    (0, 1)
    """
    axes = sizes(shape)
    found = dict.fromkeys(_labelled(axes), 0)
    if len(axes) == 3:
        for at, size in enumerate(axes):
            for factor in _factors(size):
                split = (*axes[:at], factor, size // factor, *axes[at + 1 :])
                found |= {w: 1 for w in _labelled(split) if w not in found}
    return found


def _labelled(axes: tuple[int, ...]) -> Iterator[WeightLayout]:
    """Three of the axes as classes, dimension in and dimension out, the others together as matrices."""
    whole = math.prod(axes)
    for classes, dimension_in, dimension in permutations(axes, 3):
        matrices = whole // (classes * dimension_in * dimension)
        yield WeightLayout(matrices, classes, dimension_in, dimension)


def _factors(size: int) -> Iterator[int]:
    """Factors other than one and itself; of a huge size only small ones, which is where classes and dimensions are."""
    yield from (factor for factor in range(2, min(size // 2, 256) + 1) if size % factor == 0)


def _fits(w: WeightLayout, channels: int, *, square: bool) -> bool:
    """Whether the channels can be cut into such capsules, with a matrix for each capsule of a whole grid, or shared ones.

    The grid is square unless the model was run with another image.
    """
    types, rest = divmod(channels, w.dimension_in)
    if rest or not types:
        return False
    places, more = divmod(w.matrices, types)
    return w.matrices == 1 or (not more and (not square or math.isqrt(places) ** 2 == places))


def _unusual(w: WeightLayout) -> int:
    """How many of the usual sizes differ."""
    return (w.classes != 10) + (w.dimension_in != 8) + (w.dimension != 16)
