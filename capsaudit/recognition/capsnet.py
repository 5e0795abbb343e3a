"""Recognising a capsule network of Sabour et al. 2017: the spec of exactly the network that the tensors of a model form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache

import msgspec

from capsaudit.arithmetic import conv_output
from capsaudit.catalogue import Variant
from capsaudit.families.capsnet import CapsNet, DigitCaps, PrimaryCaps, SharedW
from capsaudit.inventory import Inventory, InventoryTensor
from capsaudit.recognition.base import Match, RecognisedNetwork, best
from capsaudit.recognition.roles import Group, Roles, WeightLayout, as_padding, roles, sizes
from capsaudit.spec import Convolution, Decoder, Image

_LARGEST_IMAGE = 1024


def closest(inventory: Inventory, relatives: Sequence[tuple[Variant, CapsNet]]) -> Match | None:
    """The closest of these variants; None where the tensors form no capsule network. The likeliest layout of W that explains all is taken."""
    found = roles(inventory)
    if found is None:
        return None
    count = inventory.trainable()
    tried: list[Match] = []
    for w in found.layouts:
        networks = ((variant, each) for variant, spec in relatives for each in _networks(found, w, inventory, spec))
        match = best([Match(variant, network) for variant, network in networks], count)
        if match is not None and match.unexplained(count) == 0:
            return match
        tried += [match] if match is not None else []
    return best(tried, count)


def _networks(found: Roles, w: WeightLayout, inventory: Inventory, like: CapsNet) -> Iterator[RecognisedNetwork]:
    """The networks that these roles form with this layout of W; knobs that cannot be inferred are as in `like`.

    Two where a convolution does not pad: its input may be padded before.
    """
    yield _network(found, w, inventory, like)
    padded = {layer: known for layer, known in inventory.geometry.items() if known[1] != 0}
    if len(padded) < len(inventory.geometry) and "same" in (like.conv1.padding, like.primary_caps.padding):
        outside = {layer: (known[0], _PADDED_OUTSIDE) for layer, known in inventory.geometry.items() if known[1] == 0}
        yield _network(found, w, msgspec.structs.replace(inventory, geometry=padded | outside), like)


_PADDED_OUTSIDE = "outside"


def _network(found: Roles, w: WeightLayout, inventory: Inventory, like: CapsNet) -> RecognisedNetwork:
    conv1 = _convolution(found.conv1, inventory, like.conv1)
    primary = _primary(found, w, inventory, like.primary_caps)
    image = _given(found, inventory) or _image(found, w, conv1, primary, like.image)
    places = _places(image, conv1, primary)
    capsules = places * primary.types
    digit, extra = _digit(found, w, capsules, primary.types, like.digit_caps)
    spec = CapsNet(image=image, conv1=conv1, primary_caps=primary, digit_caps=digit, decoder=_decoder(found, digit))
    layers = {"conv1": found.conv1.tensors, "primary_caps": found.primary.tensors, "digit_caps": (found.w, *extra)}
    layers |= {f"fc{n}": group.tensors for n, group in enumerate(found.decoder, start=1)}
    unassigned = tuple(tensor for tensor in found.others if tensor not in extra)
    return RecognisedNetwork(spec, layers, unassigned, tuple(_assumed(found, inventory)))


def _convolution(group: Group, inventory: Inventory, like: Convolution) -> Convolution:
    stride, padding = inventory.geometry.get(group.tensors[0].layer, (like.stride, like.padding))
    return Convolution(
        channels=group.weight[0],
        kernel=group.weight[2],
        stride=stride,
        padding=like.padding if padding == _PADDED_OUTSIDE else as_padding(padding),
        bias=group.has_bias,
    )


def _primary(found: Roles, w: WeightLayout, inventory: Inventory, like: PrimaryCaps) -> PrimaryCaps:
    conv = _convolution(found.primary, inventory, like.convolution)
    return PrimaryCaps(
        types=found.primary_channels // w.dimension_in,
        dimension=w.dimension_in,
        kernel=conv.kernel,
        stride=conv.stride,
        padding=conv.padding,
        bias=conv.bias,
    )


def _given(found: Roles, inventory: Inventory) -> Image | None:
    """The image that it was run with."""
    for example in inventory.examples:
        if len(example) == 3 and example[0] == found.conv1.weight[1]:
            return Image(channels=example[0], height=example[1], width=example[2])
    return None


def _image(found: Roles, w: WeightLayout, conv1: Convolution, primary: PrimaryCaps, like: Image) -> Image:
    """Its size from the number of pixels that the decoder outputs, or else from the number of capsules; of several, the one nearest to `like`."""
    channels = found.conv1.weight[1]
    pixels = found.decoder[-1].weight[0] // channels if found.decoder else 0
    side = math.isqrt(pixels)
    if pixels and side * side == pixels:
        return Image(channels=channels, height=side, width=side)
    fitting = [
        side for side, places in _places_by_side(conv1, primary.convolution) if places * primary.types == w.matrices
    ]
    nearest = min(fitting, key=lambda side: (abs(side - like.height), side), default=like.height)
    return _square(channels, nearest)


@cache
def _places_by_side(conv1: Convolution, primary: Convolution) -> tuple[tuple[int, int], ...]:
    """For each image size for which the network is possible, how many places the grid of capsules has."""
    firsts = [(side, conv_output(side, conv1)) for side in range(1, _LARGEST_IMAGE)]
    grids = [(side, conv_output(first, primary)) for side, first in firsts if first >= 1]
    return tuple((side, grid * grid) for side, grid in grids if grid >= 1)


def _square(channels: int, side: int) -> Image:
    return Image(channels=channels, height=side, width=side)


def _places(image: Image, conv1: Convolution, primary: PrimaryCaps) -> int:
    height, width = (conv_output(conv_output(size, conv1), primary.convolution) for size in (image.height, image.width))
    return height * width


def _digit(
    found: Roles, w: WeightLayout, capsules: int, types: int, like: DigitCaps
) -> tuple[DigitCaps, list[InventoryTensor]]:
    """DigitCaps, and the tensors beside W that belong to it."""
    layouts: dict[int, SharedW] = {capsules: "none", types: "grid", 1: "all"}
    bias = _first(found.others, (w.classes, w.dimension))
    pairs = [t for t in found.others if _fits(t, (capsules, w.classes)) and t is not bias]
    digit = DigitCaps(
        classes=w.classes,
        dimension=w.dimension,
        shared_w=layouts.get(w.matrices, "none"),
        bias=bias is not None,
        logits="zero" if not pairs else "trainable" if pairs[0].trainable else "frozen",
        coupling="trainable" if len(pairs) > 1 and pairs[1].trainable else "computed",
        iterations=like.iterations,
        none_of_the_above=like.none_of_the_above,
        gradient=like.gradient,
    )
    return digit, [tensor for tensor in (bias, *pairs[:2]) if tensor is not None]


def _first(tensors: Sequence[InventoryTensor], wanted: tuple[int, ...]) -> InventoryTensor | None:
    return next((tensor for tensor in tensors if _fits(tensor, wanted)), None)


def _fits(tensor: InventoryTensor, wanted: tuple[int, ...]) -> bool:
    """The same sizes in any order, or all of them as one axis."""
    own = sorted(sizes(tensor.shape))
    return own == sorted(sizes(wanted)) or own == [math.prod(wanted)]


def _decoder(found: Roles, digit: DigitCaps) -> Decoder | None:
    if not found.decoder:
        return None
    hidden = tuple(group.weight[0] for group in found.decoder[:-1])
    masked = Decoder(hidden=hidden, input="masked")
    if found.decoder[0].weight[1] == masked.inputs(classes=digit.classes, dimension=digit.dimension):
        return masked
    return Decoder(hidden=hidden, input="selected")


def _assumed(found: Roles, inventory: Inventory) -> Iterator[str]:
    for name, group in (("conv1", found.conv1), ("primary_caps", found.primary)):
        if group.tensors[0].layer not in inventory.geometry:
            yield f"{name}.stride"
            yield f"{name}.padding"
    yield from ("digit_caps.iterations", "digit_caps.gradient")
