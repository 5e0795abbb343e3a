"""Recognising a capsule network of Sabour et al. 2017: the spec of exactly the network that the tensors of a model form."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

import msgspec

from capsaudit.arithmetic import conv_output
from capsaudit.catalogue import Variant
from capsaudit.families.capsnet import CapsNet, DigitCaps, PrimaryCaps, SharedW
from capsaudit.inventory import Inventory, InventoryTensor
from capsaudit.recognition.bar import MOST_OTHER_LAYERS
from capsaudit.recognition.base import Match, NoMatch, RecognisedNetwork, best
from capsaudit.recognition.roles import Group, Roles, as_padding, groups_of, is_convolution, is_linear, roles, sizes
from capsaudit.spec import Convolution, Decoder, Image

_LARGEST_IMAGE = 1024

_READINGS = 32
"""How many ways to assign the roles are tried, those that leave the fewest values over first."""

_NO_ROLES = NoMatch(
    "it has no two convolutions, of which the second takes what the first gives, and a parameter W "
    "with a matrix for each class and capsule of the second"
)


def closest(inventory: Inventory, relatives: Sequence[tuple[Variant, CapsNet]]) -> Match | NoMatch:
    """The closest of these variants, by the roles of the tensors that fit it best."""
    if _surely_left_over(inventory) > MOST_OTHER_LAYERS:
        return NoMatch(f"more than {MOST_OTHER_LAYERS} of its layers have no part in such a network")
    networks = (
        (variant, network)
        for found in sorted(roles(inventory), key=lambda found: found.left_over)[:_READINGS]
        for variant, spec in relatives
        for network in _networks(found, inventory, spec)
    )
    return best(Match(variant, network) for variant, network in networks) or _NO_ROLES


def _surely_left_over(inventory: Inventory) -> int:
    """How many layers are left over at least, without trying all roles: those that are not convolutions of the most frequent shape or fully
    connected, but for conv1, W, its bias, logits and coupling.
    """
    groups = groups_of(inventory)
    alike = Counter(group.weight for group in groups if is_convolution(group))
    return len(groups) - max(alike.values(), default=0) - sum(map(is_linear, groups)) - 5


def _networks(found: Roles, inventory: Inventory, like: CapsNet) -> Iterator[RecognisedNetwork]:
    """The networks that these roles form; knobs that cannot be inferred are as in `like`.

    Two where a convolution does not pad: its input may be padded before. None where the layout of W is a guess that nothing confirms.
    """
    network = _network(found, inventory, like)
    if not _confirmed(found, network, like):
        return
    yield network
    geometry = {layer: (stride, padding or _PADDED_OUTSIDE) for layer, (stride, padding) in inventory.geometry.items()}
    if geometry != inventory.geometry and {like.conv1.padding, like.primary_caps.padding} != {"valid"}:
        yield _network(found, msgspec.structs.replace(inventory, geometry=geometry), like)


def _confirmed(found: Roles, network: RecognisedNetwork, like: CapsNet) -> bool:
    """Whether each size of W has an axis of its own, or a decoder, a bias or logits confirm its layout, or all but one of its sizes are those
    of the variant.
    """
    w, digit = found.layout, like.digit_caps
    own = (w.classes, w.dimension_in, w.dimension)
    usual = (digit.classes, like.primary_caps.dimension, digit.dimension)
    more = bool(found.decoder) or len(network.layers["digit_caps"]) > 1
    return found.certain or more or sum(size == each for size, each in zip(own, usual, strict=True)) >= 2


_PADDED_OUTSIDE = "outside"


def _network(found: Roles, inventory: Inventory, like: CapsNet) -> RecognisedNetwork:
    conv1 = _convolution(found.conv1, inventory, like.conv1)
    primary = _primary(found, inventory, like.primary_caps)
    image = _given(found, inventory) or _image(found, conv1, primary, like.image)
    capsules = _places(image, conv1, primary) * primary.types
    digit, extra = _digit(found, capsules, primary.types, like.digit_caps)
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


def _primary(found: Roles, inventory: Inventory, like: PrimaryCaps) -> PrimaryCaps:
    conv = _convolution(found.primary, inventory, like.convolution)
    return PrimaryCaps(
        types=found.primary_channels // found.layout.dimension_in,
        dimension=found.layout.dimension_in,
        kernel=conv.kernel,
        stride=conv.stride,
        padding=conv.padding,
        bias=conv.bias,
    )


def _given(found: Roles, inventory: Inventory) -> Image | None:
    """The image that it was run with."""
    for example in inventory.examples:
        if len(example) == 3 and example[0] == found.image_channels:
            return Image(channels=example[0], height=example[1], width=example[2])
    return None


def _image(found: Roles, conv1: Convolution, primary: PrimaryCaps, like: Image) -> Image:
    """Its size from the number of pixels that the decoder outputs, or else from the number of capsules; of several, the one nearest to `like`."""
    channels = found.image_channels
    if found.decoder:
        return _square(channels, math.isqrt(found.decoder[-1].weight[0] // channels))
    places = _places_by_side(conv1, primary.convolution)
    fitting = [side for side, count in places if count * primary.types == found.layout.matrices]
    return _square(channels, min(fitting, key=lambda side: (abs(side - like.height), side), default=like.height))


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


def _digit(found: Roles, capsules: int, types: int, like: DigitCaps) -> tuple[DigitCaps, list[InventoryTensor]]:
    """DigitCaps, and the tensors beside W that belong to it."""
    w = found.layout
    layouts: dict[int, SharedW] = {capsules: "none", types: "grid", 1: "all"}
    bias = _first(found.bare, (w.classes, w.dimension))
    each = capsules if w.matrices in (1, types) else w.matrices
    pairs = [t for t in found.bare if _fits(t, (each, w.classes)) and t is not bias]
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
