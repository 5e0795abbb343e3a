"""Recognising an Efficient-CapsNet: convolutions with batch normalisation, a depthwise convolution, a W and perhaps log priors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capsaudit.arithmetic import image_shape
from capsaudit.catalogue import Variant
from capsaudit.families import layers
from capsaudit.families.efficient_capsnet import ConvolutionLayer, DigitCaps, EfficientCapsNet, PrimaryCaps
from capsaudit.inventory import Inventory, InventoryTensor
from capsaudit.recognition.base import Match, RecognisedNetwork, best
from capsaudit.recognition.roles import Group, chain, groups_of, is_convolution, is_linear, sizes
from capsaudit.spec import Decoder, Image

_LARGEST_IMAGE = 256


def closest(inventory: Inventory, relatives: Sequence[tuple[Variant, EfficientCapsNet]]) -> Match | None:
    """The closest of these variants; None where the tensors form no such network."""
    matches = [Match(variant, each) for variant, spec in relatives for each in _networks(inventory, spec)]
    return best(matches, inventory.trainable())


def _networks(inventory: Inventory, like: EfficientCapsNet) -> Iterator[RecognisedNetwork]:
    """The model as a network like `like`, or nothing."""
    groups = groups_of(inventory)
    convolutions = [group for group in groups if is_convolution(group)]
    *plain, depthwise = convolutions or [Group()]
    norms = [group for group in groups if _is_norm(group)]
    w = next(
        (t for group in groups for t in group.tensors if len(sizes(t.shape)) == 4 and group not in convolutions), None
    )
    if w is None or not plain or not _is_depthwise(plain[-1], depthwise) or list(chain(plain)) != plain:
        return
    if [group.tensors[0].shape[0] for group in norms] != [group.weight[0] for group in plain]:
        return
    decoder = tuple(chain([group for group in groups if is_linear(group)]))
    spec = _spec(inventory, like, plain, depthwise, w, decoder)
    logits = _logits(groups, w)
    if spec is None:
        return
    named = {f"conv{n}": group.tensors for n, group in enumerate(plain, start=1)}
    named |= {f"bn{n}": _with_buffers(inventory, group) for n, group in enumerate(norms, start=1)}
    named |= {"primary_caps": depthwise.tensors, "digit_caps": (w, *logits)}
    named |= {f"fc{n}": group.tensors for n, group in enumerate(decoder, start=1)}
    assigned = {tensor.name for tensors in named.values() for tensor in tensors}
    unassigned = tuple(t for group in groups for t in group.tensors if t.name not in assigned)
    yield RecognisedNetwork(spec, named, unassigned, tuple(_assumed(inventory, plain, depthwise)))


def _is_norm(group: Group) -> bool:
    """Scale and shift: two vectors of one length and nothing else."""
    shapes = [tensor.shape for tensor in group.tensors]
    return len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 1


def _is_depthwise(before: Group, group: Group) -> bool:
    return len(group.weight) == 4 and group.weight[:2] == (before.weight[0], 1)


def _logits(groups: Sequence[Group], w: InventoryTensor) -> tuple[InventoryTensor, ...]:
    """The log priors: one for each class and capsule of W."""
    wanted = sizes(w.shape)[:2]
    return tuple(t for group in groups for t in group.tensors if t is not w and sizes(t.shape) == wanted)[:1]


def _with_buffers(inventory: Inventory, group: Group) -> tuple[InventoryTensor, ...]:
    layer = group.tensors[0].layer
    return (*group.tensors, *(t for t in inventory.tensors if t.buffer and t.layer == layer))


def _spec(
    inventory: Inventory,
    like: EfficientCapsNet,
    plain: Sequence[Group],
    depthwise: Group,
    w: InventoryTensor,
    decoder: Sequence[Group],
) -> EfficientCapsNet | None:
    """The spec with an image for which W has as many matrices as there are capsules; of several, the size nearest to `like`."""
    classes, capsules, dimension_in, dimension = sizes(w.shape)
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
        dimension=dimension_in,
        kernel=depthwise.weight[2],
        stride=_stride(inventory, depthwise, like.primary_caps.stride),
        bias=depthwise.has_bias,
    )
    trained = bool(_logits(groups_of(inventory), w))
    digit = DigitCaps(classes=classes, dimension=dimension, logits="trainable" if trained else "zero")
    if decoder and decoder[0].weight[1] not in (classes * dimension, dimension):
        return None
    masked = bool(decoder) and decoder[0].weight[1] == classes * dimension
    hidden = tuple(group.weight[0] for group in decoder[:-1])
    reconstruction = Decoder(hidden=hidden, input="masked" if masked else "selected") if decoder else None
    for image in _images(inventory, plain[0].weight[1], like.image):
        spec = EfficientCapsNet(
            image=image, layers=layers_of, primary_caps=primary, digit_caps=digit, decoder=reconstruction
        )
        rows = {row.name: row for row in layers(spec)}
        if rows["primary_caps"].output_shape == (capsules, dimension_in) and _reconstructs(decoder, image):
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
