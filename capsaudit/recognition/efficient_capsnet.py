"""Recognising an Efficient-CapsNet: convolutions with batch normalisation, a depthwise convolution, a W and perhaps log priors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from capsaudit.arithmetic import image_shape
from capsaudit.catalogue import Variant
from capsaudit.families import layers
from capsaudit.families.efficient_capsnet import ConvolutionLayer, DigitCaps, EfficientCapsNet, PrimaryCaps
from capsaudit.inventory import Inventory, InventoryTensor
from capsaudit.recognition.base import Match, NoMatch, RecognisedNetwork, best
from capsaudit.recognition.roles import (
    Group,
    WeightLayout,
    chain,
    decoders,
    groups_of,
    is_bare,
    is_convolution,
    is_linear,
    is_norm,
    layouts_of,
    sizes,
)
from capsaudit.spec import Decoder, Image

_LARGEST_IMAGE = 256


_NO_CHAIN = NoMatch(
    "its convolutions, each with a batch normalisation, and the depthwise one behind them "
    "do not give the capsules of a parameter W of four axes"
)


def closest(inventory: Inventory, relatives: Sequence[tuple[Variant, EfficientCapsNet]]) -> Match | NoMatch:
    """The closest of these variants."""
    return best(Match(variant, each) for variant, spec in relatives for each in _networks(inventory, spec)) or _NO_CHAIN


def _networks(inventory: Inventory, like: EfficientCapsNet) -> Iterator[RecognisedNetwork]:
    """The networks like `like` that the model forms with each parameter that can be W."""
    groups = groups_of(inventory)
    bare = [tensor for group in groups if is_bare(group) for tensor in group.tensors]
    for w in (tensor for tensor in bare if len(sizes(tensor.shape)) == 4):
        yield from _networks_with(w, bare, [group for group in groups if w not in group.tensors], inventory, like)


def _networks_with(
    w: InventoryTensor,
    bare: Sequence[InventoryTensor],
    groups: Sequence[Group],
    inventory: Inventory,
    like: EfficientCapsNet,
) -> Iterator[RecognisedNetwork]:
    plain, depthwise = _until_depthwise([group for group in groups if is_convolution(group)])
    norms = list(_norms(plain, groups))
    if depthwise is None or list(chain(plain)) != plain or len(norms) != len(plain):
        return
    named = {f"conv{n}": group.tensors for n, group in enumerate(plain, start=1)}
    named |= {f"bn{n}": _with_buffers(inventory, group) for n, group in enumerate(norms, start=1)}
    linear = [group for group in groups if is_linear(group)]
    for layout in _layouts(w, like):
        logits = _logits(bare, layout)
        for decoder in decoders(linear, layout.classes, layout.dimension, plain[0].weight[1], inventory.examples):
            spec = _spec(inventory, like, plain, depthwise, layout, logits, decoder)
            if spec is not None:
                named |= {"primary_caps": depthwise.tensors, "digit_caps": (w, *logits)}
                linear_named = {f"fc{n}": group.tensors for n, group in enumerate(decoder, start=1)}
                yield _network(inventory, spec, named | linear_named, tuple(_assumed(inventory, plain, depthwise)))


def _network(
    inventory: Inventory,
    spec: EfficientCapsNet,
    named: dict[str, tuple[InventoryTensor, ...]],
    assumed: tuple[str, ...],
) -> RecognisedNetwork:
    assigned = {tensor.name for tensors in named.values() for tensor in tensors}
    others = tuple(t for group in groups_of(inventory) for t in group.tensors if t.name not in assigned)
    return RecognisedNetwork(spec, named, others, assumed)


def _layouts(w: InventoryTensor, like: EfficientCapsNet) -> Iterator[WeightLayout]:
    """W with its axes in the order of the authors' code; in another one if both dimensions are those of `like`: of four sizes in any order,
    some fit many networks.
    """
    classes, capsules, dimension_in, dimension = sizes(w.shape)
    first = WeightLayout(capsules, classes, dimension_in, dimension)
    usual = (like.primary_caps.dimension, like.digit_caps.dimension)
    yield first
    yield from (each for each in layouts_of(w.shape) if each != first and (each.dimension_in, each.dimension) == usual)


def _until_depthwise(convolutions: Sequence[Group]) -> tuple[list[Group], Group | None]:
    """The convolutions up to the first that has a kernel for each channel of the one before it, and that one."""
    for place, (before, group) in enumerate(pairwise(convolutions), start=1):
        if group.weight[:2] == (before.weight[0], 1):
            return list(convolutions[:place]), group
    return [], None


def _norms(plain: Sequence[Group], groups: Sequence[Group]) -> Iterator[Group]:
    """The first normalisation for each convolution, in order."""
    norms = iter([group for group in groups if is_norm(group)])
    for conv in plain:
        yield from islice((norm for norm in norms if norm.tensors[0].shape == conv.weight[:1]), 1)


def _logits(bare: Sequence[InventoryTensor], w: WeightLayout) -> tuple[InventoryTensor, ...]:
    """The log priors: one for each class and capsule of W, in either order."""
    orders = ((w.classes, w.matrices), (w.matrices, w.classes))
    return tuple(tensor for tensor in bare if sizes(tensor.shape) in orders)[:1]


def _with_buffers(inventory: Inventory, group: Group) -> tuple[InventoryTensor, ...]:
    layer = group.tensors[0].layer
    return (*group.tensors, *(t for t in inventory.tensors if t.buffer and t.layer == layer))


def _spec(
    inventory: Inventory,
    like: EfficientCapsNet,
    plain: Sequence[Group],
    depthwise: Group,
    w: WeightLayout,
    logits: Sequence[InventoryTensor],
    decoder: Sequence[Group],
) -> EfficientCapsNet | None:
    """The spec with an image for which W has as many matrices as there are capsules; of several, the size nearest to `like`."""
    strides = [layer.stride for layer in like.layers] + [1] * len(plain)
    layers_of = tuple(
        ConvolutionLayer(
            channels=group.weight[0],
            kernel=group.weight[2],
            stride=_stride(inventory, group, strides[place]),
            bias=group.has_bias,
        )
        for place, group in enumerate(plain)
    )
    primary = PrimaryCaps(
        dimension=w.dimension_in,
        kernel=depthwise.weight[2],
        stride=_stride(inventory, depthwise, like.primary_caps.stride),
        bias=depthwise.has_bias,
    )
    digit = DigitCaps(classes=w.classes, dimension=w.dimension, logits="trainable" if logits else "zero")
    masked = bool(decoder) and decoder[0].weight[1] == w.classes * w.dimension
    hidden = tuple(group.weight[0] for group in decoder[:-1])
    reconstruction = Decoder(hidden=hidden, input="masked" if masked else "selected") if decoder else None
    for image in _images(inventory, plain[0].weight[1], like.image):
        spec = EfficientCapsNet(
            image=image, layers=layers_of, primary_caps=primary, digit_caps=digit, decoder=reconstruction
        )
        rows = {row.name: row for row in layers(spec)}
        if rows["primary_caps"].output_shape == (w.matrices, w.dimension_in) and _reconstructs(decoder, image):
            return spec
    return None


def _stride(inventory: Inventory, group: Group, otherwise: int) -> int:
    return inventory.geometry.get(group.tensors[0].layer, (otherwise, 0))[0]


def _images(inventory: Inventory, channels: int, like: Image) -> Iterator[Image]:
    """The image that the model was run on, or else square ones, the nearest to `like` first."""
    for example in inventory.examples:
        if len(example) == 3 and example[0] == channels:
            yield Image(channels=channels, height=example[1], width=example[2])
            return
    for side in sorted(range(1, _LARGEST_IMAGE), key=lambda side: abs(side - like.height)):
        yield Image(channels=channels, height=side, width=side)


def _reconstructs(decoder: Sequence[Group], image: Image) -> bool:
    """Whether the decoder, if any, outputs the pixels of this image."""
    channels, height, width = image_shape(image)
    return not decoder or decoder[-1].weight[0] == channels * height * width


def _assumed(inventory: Inventory, plain: Sequence[Group], depthwise: Group) -> Iterator[str]:
    if any(group.tensors[0].layer not in inventory.geometry for group in plain):
        yield "layers.*.stride"
    if depthwise.tensors[0].layer not in inventory.geometry:
        yield "primary_caps.stride"
