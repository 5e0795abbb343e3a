"""The capsule network of Sabour et al. 2017: its knobs, its layers in closed form, and what depends on which knob."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from capsaudit.arithmetic import (
    LayerArithmetic,
    Parameter,
    Shape,
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
from capsaudit.formula import Formula, product
from capsaudit.spec import Convolution, Decoder, Flag, Padding, Settings, Size, Spec

Iterations = Annotated[int, Meta(ge=1, le=100, description="an integer from 1 to 100")]
SharedW = Annotated[Literal["none", "grid", "all"], Meta(description='"none", "grid" or "all"')]
Logits = Annotated[Literal["zero", "frozen", "trainable"], Meta(description='"zero", "frozen" or "trainable"')]
Coupling = Annotated[Literal["computed", "trainable"], Meta(description='"computed" or "trainable"')]
Gradient = Annotated[Literal["all", "last"], Meta(description='"all" or "last"')]


class PrimaryCaps(Settings, frozen=True):
    """The convolution whose channels are cut into `types` capsules of `dimension` at each place of its grid."""

    types: Size
    dimension: Size
    kernel: Size
    stride: Size
    padding: Padding
    bias: Flag

    @property
    def convolution(self) -> Convolution:
        """The same layer as a plain convolution: 32 types of 8 are 256 channels."""
        return Convolution(
            channels=self.types * self.dimension,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            bias=self.bias,
        )


class DigitCaps(Settings, frozen=True):
    """The class capsules, and how the primary capsules are routed to them.

    `shared_w`: one matrix W for each pair of primary capsule and class (`none`), for each pair of type and class, shared over
    the grid (`grid`), or for each class (`all`). `logits`: the log priors b start from a constant zero, are stored but frozen,
    or are trained. `coupling`: the coefficients c are computed by routing, or those of the first iteration are trained.
    `none_of_the_above`: the softmax has one more place, of logit zero, for what belongs to no class. `gradient`: in training it
    passes through all iterations of routing, or through the last only.
    """

    classes: Size
    dimension: Size
    shared_w: SharedW
    bias: Flag
    logits: Logits
    coupling: Coupling
    iterations: Iterations
    none_of_the_above: Flag
    gradient: Gradient


class CapsNet(Spec, frozen=True):
    """A capsule network as in Sabour et al. 2017, figures 1 and 2."""

    conv1: Convolution
    primary_caps: PrimaryCaps
    digit_caps: DigitCaps
    decoder: Decoder | None


def _layers(spec: CapsNet) -> Iterator[LayerArithmetic]:
    conv1 = convolution("conv1", spec.conv1, image_shape(spec.image))
    yield conv1
    primary = _primary_caps(spec.primary_caps, conv1.output_shape)
    yield primary
    digit = spec.digit_caps
    yield _digit_caps(digit, primary.output_shape, types=spec.primary_caps.types)
    yield from reconstruction(spec.decoder, spec.image, classes=digit.classes, dimension=digit.dimension)


def _primary_caps(primary: PrimaryCaps, shape: Shape) -> LayerArithmetic:
    channels_in, height, width = shape
    conv = primary.convolution
    places = conv_output(height, conv) * conv_output(width, conv)
    return LayerArithmetic(
        name="primary_caps",
        input_shape=shape,
        output_shape=(places * primary.types, primary.dimension),
        parameters=conv_parameters(conv, channels_in),
        formula=conv_formula(conv, channels_in=channels_in, channels_out=product(primary.dimension, primary.types)),
        conv=conv,
    )


def _digit_caps(digit: DigitCaps, shape: Shape, *, types: int) -> LayerArithmetic:
    capsules, dimension_in = shape
    matrices = {"none": (capsules,), "grid": (types,), "all": ()}[digit.shared_w]
    pairs = (capsules, digit.classes)
    return LayerArithmetic(
        name="digit_caps",
        input_shape=shape,
        output_shape=(digit.classes, digit.dimension),
        parameters=tuple(_digit_parameters(digit, (*matrices, digit.classes, dimension_in, digit.dimension), pairs)),
        formula=digit_caps_formula(digit, matrices=product(*matrices), capsules=capsules, dimension_in=dimension_in),
        frozen_formula=product(*pairs) if digit.logits == "frozen" else None,
        computed=tuple(_computed(digit, pairs)),
        bare=True,
    )


def _digit_parameters(digit: DigitCaps, weight: Shape, pairs: Shape) -> Iterator[Parameter]:
    yield parameter("weight", weight)
    if digit.bias:
        yield parameter("bias", (digit.classes, digit.dimension))
    if digit.logits != "zero":
        yield parameter("logits", pairs, trainable=digit.logits == "trainable")
    if digit.coupling == "trainable":
        yield parameter("coupling", pairs)


def _computed(digit: DigitCaps, pairs: Shape) -> Iterator[Parameter]:
    """The logits b where they start from zero, the coupling coefficients c where routing computes them: one for each pair."""
    if digit.logits == "zero":
        yield parameter("logits", pairs, trainable=False)
    if digit.coupling == "computed":
        yield parameter("coupling", pairs, trainable=False)


def digit_caps_formula(digit: DigitCaps, *, matrices: Formula, capsules: int, dimension_in: int) -> Formula:
    """Trainable values of DigitCaps, class by class as the article adds them up; `matrices` is how many W each class has.

    >>> from capsaudit.formula import Number
    >>> article = DigitCaps(classes=10, dimension=16, shared_w="none", bias=False, logits="trainable",
    ...                     coupling="trainable", iterations=3, none_of_the_above=False, gradient="all")
    >>> formula = digit_caps_formula(article, matrices=Number(1152), capsules=1152, dimension_in=8)
    >>> str(formula), formula.value
    ('(1152·8·16 + 1152 + 1152)·10', 1497600)
    """
    extras = [digit.dimension] * digit.bias
    extras += [capsules] * (digit.logits == "trainable") + [capsules] * (digit.coupling == "trainable")
    if not extras:
        return matrices * digit.classes * dimension_in * digit.dimension
    per_class: Formula = matrices * dimension_in * digit.dimension
    for extra in extras:
        per_class = per_class + extra
    return per_class * digit.classes


def _sides(spec: CapsNet) -> Iterator[tuple[int, int]]:
    height, width = spec.image.height, spec.image.width
    for conv in (spec.conv1, spec.primary_caps.convolution):
        height, width = conv_output(height, conv), conv_output(width, conv)
        yield height, width


def _impossible(spec: CapsNet) -> str | None:
    image = (spec.image.height, spec.image.width)
    features, _ = _sides(spec)
    return conv_fault("conv1", spec.conv1, image) or conv_fault("primary_caps", spec.primary_caps.convolution, features)


def _stated_shapes(spec: CapsNet, layer: LayerArithmetic) -> list[Shape]:
    _, (height, width) = _sides(spec)
    grid = (spec.primary_caps.types, height, width, spec.primary_caps.dimension)
    classes = (spec.digit_caps.classes, spec.digit_caps.dimension)
    return [grid] if layer.name in ("primary_caps", "digit_caps") else [classes, image_shape(spec.image)]


def _shares(spec: CapsNet, layer: LayerArithmetic) -> dict[str, int]:
    """A class has its own matrices W, biases and logits; a type has its own matrices unless they are shared, but no bias of the classes."""
    digit, types = spec.digit_caps, spec.primary_caps.types
    if layer.name == "primary_caps":
        return {"one type": types}
    if layer.name != "digit_caps":
        return {}
    per_type = {"one type": types} if digit.shared_w != "all" and not digit.bias else {}
    return {"one class": digit.classes} | per_type


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
_PAIRS = _GEOMETRY | {"primary_caps.types", "digit_caps.classes", "counting.bare_parameters"}

_SCOPES = {
    "conv1.weight": frozenset({"image.channels", "conv1.channels", "conv1.kernel"}),
    "conv1.bias": frozenset({"conv1.channels", "conv1.bias", "counting.biases"}),
    "primary_caps.weight": frozenset(
        {"conv1.channels", "primary_caps.types", "primary_caps.dimension", "primary_caps.kernel"}
    ),
    "primary_caps.bias": frozenset(
        {"primary_caps.types", "primary_caps.dimension", "primary_caps.bias", "counting.biases"}
    ),
    "digit_caps.weight": _PAIRS | {"primary_caps.dimension", "digit_caps.dimension", "digit_caps.shared_w"},
    "digit_caps.bias": frozenset(
        {
            "counting.bare_parameters",
            "digit_caps.classes",
            "digit_caps.dimension",
            "digit_caps.bias",
            "counting.biases",
        }
    ),
    "digit_caps.logits": _PAIRS | {"digit_caps.logits", "counting.frozen", "counting.buffers"},
    "digit_caps.coupling": _PAIRS | {"digit_caps.coupling", "counting.coupling"},
    "fc": frozenset(
        {"image", "digit_caps.classes", "digit_caps.dimension", "decoder", "counting.decoder", "counting.biases"}
    ),
    POSSIBLE: _GEOMETRY,
}


def _scopes(_spec: CapsNet, _values: Values) -> dict[str, frozenset[str]]:
    return _SCOPES


CAPSNET = Family(
    name="capsnet",
    spec=CapsNet,
    layers=_layers,
    impossible=_impossible,
    sides=_sides,
    classes=lambda spec: spec.digit_caps.classes,
    scopes=_scopes,
    stated_shapes=_stated_shapes,
    shares=_shares,
    knob_order=("digit_caps", "decoder", "primary_caps", "conv1", "image"),
    layer_order=("conv", "primary_caps", "digit_caps", "fc"),
    uncounted_knobs=frozenset({"digit_caps.iterations", "digit_caps.none_of_the_above", "digit_caps.gradient"}),
)
