"""Efficient-CapsNet (Mazzia, Salvetti, Chiaberge 2021): its knobs, its layers in closed form, and what depends on which knob."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from capsaudit.arithmetic import (
    LayerArithmetic,
    Shape,
    batch_norm,
    conv_fault,
    conv_formula,
    conv_output,
    conv_parameters,
    convolution,
    image_shape,
    parameter,
    reconstruction,
)
from capsaudit.families.base import POSSIBLE, Family, Values
from capsaudit.formula import Number, product
from capsaudit.spec import Convolution, Decoder, Flag, Settings, Size, Spec

Priors = Annotated[Literal["zero", "trainable"], Meta(description='"zero" or "trainable"')]


class ConvolutionLayer(Settings, frozen=True):
    """A convolution without padding, its ReLU, and the batch normalisation behind it."""

    channels: Size
    kernel: Size
    stride: Size
    bias: Flag

    @property
    def convolution(self) -> Convolution:
        """The layer as a plain convolution."""
        return Convolution(
            channels=self.channels, kernel=self.kernel, stride=self.stride, padding="valid", bias=self.bias
        )


class PrimaryCaps(Settings, frozen=True):
    """The depthwise convolution, one kernel for each channel, whose channels are cut into capsules of `dimension`."""

    dimension: Size
    kernel: Size
    stride: Size
    bias: Flag


class DigitCaps(Settings, frozen=True):
    """The class capsules. `logits`: the log priors b of self-attention routing are trained, or a constant zero."""

    classes: Size
    dimension: Size
    logits: Priors


class EfficientCapsNet(Spec, frozen=True):
    """Efficient-CapsNet: convolutions with batch normalisation, capsules by a depthwise convolution, self-attention routing."""

    layers: tuple[ConvolutionLayer, ...]
    primary_caps: PrimaryCaps
    digit_caps: DigitCaps
    decoder: Decoder | None

    @property
    def channels(self) -> int:
        """Channels of the last convolution, and so of the depthwise one."""
        return self.layers[-1].channels if self.layers else self.image.channels

    @property
    def depthwise(self) -> Convolution:
        """PrimaryCaps as a convolution of each channel by itself."""
        primary = self.primary_caps
        return Convolution(
            channels=self.channels, kernel=primary.kernel, stride=primary.stride, padding="valid", bias=primary.bias
        )


def _layers(spec: EfficientCapsNet) -> Iterator[LayerArithmetic]:
    shape = image_shape(spec.image)
    for index, layer in enumerate(spec.layers, start=1):
        row = convolution(f"conv{index}", layer.convolution, shape)
        shape = row.output_shape
        yield row
        yield batch_norm(f"bn{index}", shape)
    primary = _primary_caps(spec, shape)
    yield primary
    digit = spec.digit_caps
    yield _digit_caps(digit, primary.output_shape)
    yield from reconstruction(spec.decoder, spec.image, classes=digit.classes, dimension=digit.dimension)


def _primary_caps(spec: EfficientCapsNet, shape: Shape) -> LayerArithmetic:
    _, height, width = shape
    conv, dimension = spec.depthwise, spec.primary_caps.dimension
    places = conv_output(height, conv) * conv_output(width, conv)
    return LayerArithmetic(
        name="primary_caps",
        input_shape=shape,
        output_shape=(places * conv.channels // dimension, dimension),
        parameters=conv_parameters(conv, 1),
        formula=conv_formula(conv, channels_in=1, channels_out=Number(conv.channels)),
        conv=conv,
    )


def _digit_caps(digit: DigitCaps, shape: Shape) -> LayerArithmetic:
    capsules, dimension_in = shape
    trained = digit.logits == "trainable"
    weight = parameter("weight", (digit.classes, capsules, dimension_in, digit.dimension))
    matrices = product(capsules, dimension_in, digit.dimension)
    return LayerArithmetic(
        name="digit_caps",
        input_shape=shape,
        output_shape=(digit.classes, digit.dimension),
        parameters=(weight, parameter("logits", (digit.classes, capsules, 1))) if trained else (weight,),
        formula=(matrices + capsules if trained else matrices) * digit.classes,
        computed=(parameter("coupling", (digit.classes, capsules), trainable=False),),
        bare=True,
    )


def _sides(spec: EfficientCapsNet) -> Iterator[tuple[int, int]]:
    """Behind the last one, 1 or 0 for whether the channels can be cut into capsules."""
    height, width = spec.image.height, spec.image.width
    for conv in (*(layer.convolution for layer in spec.layers), spec.depthwise):
        height, width = conv_output(height, conv), conv_output(width, conv)
        yield height, width
    divides = (spec.channels % spec.primary_caps.dimension == 0) * 1
    yield divides, divides


def _impossible(spec: EfficientCapsNet) -> str | None:
    before = [(spec.image.height, spec.image.width), *_sides(spec)]
    named = [(f"layers.{number}", layer.convolution) for number, layer in enumerate(spec.layers, start=1)]
    for sizes, (knob, conv) in zip(before, [*named, ("primary_caps", spec.depthwise)], strict=False):
        if fault := conv_fault(knob, conv, sizes):
            return fault
    if spec.channels % spec.primary_caps.dimension:
        return (
            f"primary_caps.dimension (={spec.primary_caps.dimension}) does not divide its channels (={spec.channels})"
        )
    return None


def _stated_shapes(spec: EfficientCapsNet, layer: LayerArithmetic) -> list[Shape]:
    *_, (height, width), _ = _sides(spec)
    classes = (spec.digit_caps.classes, spec.digit_caps.dimension)
    if layer.name in ("primary_caps", "digit_caps"):
        return [(height, width, spec.channels)]
    return [classes, image_shape(spec.image)]


def _scopes(spec: EfficientCapsNet, values: Values) -> dict[str, frozenset[str]]:
    """Three parts for each convolution of the deepest network: lists of layers may have several lengths."""
    scopes: dict[str, frozenset[str]] = {}
    for number in range(1, max(map(len, (spec.layers, *values.get("layers", ())))) + 1):
        own = f"layers.{number}"
        before = f"layers.{number - 1}.channels" if number > 1 else "image.channels"
        scopes[f"conv{number}.weight"] = frozenset({before, f"{own}.channels", f"{own}.kernel"})
        scopes[f"conv{number}.bias"] = frozenset({f"{own}.channels", f"{own}.bias", "counting.biases"})
        scopes[f"bn{number}"] = frozenset({f"{own}.channels", "counting.biases", "counting.running_statistics"})
    geometry = frozenset({"image", "layers", "primary_caps"})
    scopes["primary_caps"] = frozenset({"image.channels", "layers", "primary_caps", "counting.biases"})
    scopes["digit_caps"] = geometry | {"digit_caps", "counting.bare_parameters", "counting.coupling"}
    scopes["fc"] = frozenset({"image", "digit_caps", "decoder", "counting.decoder", "counting.biases"})
    scopes[POSSIBLE] = geometry
    return scopes


EFFICIENT_CAPSNET = Family(
    name="efficient-capsnet",
    spec=EfficientCapsNet,
    layers=_layers,
    impossible=_impossible,
    sides=_sides,
    classes=lambda spec: spec.digit_caps.classes,
    scopes=_scopes,
    stated_shapes=_stated_shapes,
    shares=lambda spec, layer: {"one class": spec.digit_caps.classes} if layer.name == "digit_caps" else {},
    knob_order=("digit_caps", "decoder", "primary_caps", "layers", "image"),
    layer_order=("conv", "bn", "primary_caps", "digit_caps", "fc"),
    uncounted_knobs=frozenset(),
)
