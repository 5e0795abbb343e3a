"""Shapes and parameters of every layer in closed form: integers in, integers out. Knows nothing of torch or of the screen.

The forms are polynomials, so that the sizes in a spec may also be arrays of whole numbers: then shapes and counts are such arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from capsaudit.formula import Formula, Number, product
from capsaudit.spec import Baseline, CapsNet, Convolution, Decoder, DigitCaps, Image, PrimaryCaps, Spec

Shape = tuple[int, ...]


class Parameter(Struct, frozen=True):
    """A tensor of parameters: its name within the layer, its shape, its number of values."""

    name: str
    shape: Shape
    count: int
    trainable: bool


class LayerArithmetic(Struct, frozen=True):
    """A layer as the closed form has it. Shapes are without the batch: [channels, height, width], [capsules, dimension] or
    [features]. `formula` counts what is trainable, `frozen_formula` what is stored but not trained.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    parameters: tuple[Parameter, ...]
    formula: Formula
    frozen_formula: Formula | None = None


def layers(spec: Spec) -> tuple[LayerArithmetic, ...]:
    """Every layer of the network, from the image on.

    >>> from capsaudit.spec import FullyConnected
    >>> image = Image(channels=1, height=28, width=28)
    >>> perceptron = FullyConnected(hidden=(300,), classes=10, dropout=0)
    >>> [str(layer.formula) for layer in layers(Baseline(image=image, padding=0, layers=(), fully_connected=perceptron))]
    ['(784 + 1)·300', '(300 + 1)·10']
    """
    return tuple(_capsnet(spec) if isinstance(spec, CapsNet) else _baseline(spec))


def impossible(spec: Spec) -> str | None:
    """Why no such network can exist, in terms of its knobs; None where it can.

    Only the first fault: what stands behind it has no shape to be judged by.
    """
    return _impossible_capsnet(spec) if isinstance(spec, CapsNet) else _impossible_baseline(spec)


def sides(spec: Spec) -> Iterator[tuple[int, int]]:
    """Height and width behind each convolution and its pooling: a network is possible where all of them are positive.

    >>> from capsaudit.spec import BaselineLayer, FullyConnected
    >>> perceptron = FullyConnected(hidden=(300,), classes=10, dropout=0)
    >>> image = Image(channels=1, height=28, width=28)
    >>> pooled = BaselineLayer(channels=8, kernel=5, stride=1, pool=2)
    >>> list(sides(Baseline(image=image, padding="same", layers=(pooled,), fully_connected=perceptron)))
    [(14, 14)]
    """
    height, width = spec.image.height, spec.image.width
    convolutions = (spec.conv1, spec.primary_caps.convolution) if isinstance(spec, CapsNet) else spec.convolutions
    pools = (1, 1) if isinstance(spec, CapsNet) else tuple(layer.pool for layer in spec.layers)
    for conv, pool in zip(convolutions, pools, strict=True):
        height, width = conv_output(height, conv) // pool, conv_output(width, conv) // pool
        yield height, width


def conv_output(size: int, conv: Convolution) -> int:
    """Length of a convolution's output along one axis; not positive where the kernel is larger than its input.

    >>> conv_output(28, Convolution(channels=256, kernel=9, stride=1, padding="valid", bias=True))
    20
    >>> conv_output(20, Convolution(channels=256, kernel=9, stride=2, padding="valid", bias=True))
    6
    >>> conv_output(24, Convolution(channels=512, kernel=9, stride=2, padding="same", bias=True))
    12
    """
    if conv.padding == "same":
        return -(-size // conv.stride)
    padded = size + 2 * (0 if conv.padding == "valid" else conv.padding)
    return (padded - conv.kernel) // conv.stride + 1


def conv_formula(conv: Convolution, *, channels_in: int, channels_out: Formula) -> Formula:
    """Weights and biases of a convolution.

    >>> conv = Convolution(channels=256, kernel=9, stride=1, padding="valid", bias=True)
    >>> conv_formula(conv, channels_in=1, channels_out=Number(256)).value
    20992
    """
    kernel = product(conv.kernel, conv.kernel, channels_in)
    return (kernel + 1 if conv.bias else kernel) * channels_out


def digit_caps_formula(digit: DigitCaps, *, matrices: Formula, capsules: int, dimension_in: int) -> Formula:
    """Trainable values of DigitCaps, class by class as the article adds them up; `matrices` is how many W each class has.

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


def _capsnet(spec: CapsNet) -> Iterator[LayerArithmetic]:
    image = _image_shape(spec.image)
    conv1 = _convolution("conv1", spec.conv1, image)
    yield conv1
    primary = _primary_caps(spec.primary_caps, conv1.output_shape)
    yield primary
    yield _digit_caps(spec.digit_caps, primary.output_shape, types=spec.primary_caps.types)
    if spec.decoder:
        widths = (decoder_inputs(spec.decoder, spec.digit_caps), *spec.decoder.hidden, math.prod(image))
        yield from _fully_connected(widths)


def _baseline(spec: Baseline) -> Iterator[LayerArithmetic]:
    shape = _image_shape(spec.image)
    for index, (conv, layer) in enumerate(zip(spec.convolutions, spec.layers, strict=True), start=1):
        row = _convolution(f"conv{index}", conv, shape, pool=layer.pool)
        yield row
        shape = row.output_shape
    yield from _fully_connected((math.prod(shape), *spec.fully_connected.hidden, spec.fully_connected.classes))


def _convolution(name: str, conv: Convolution, shape: Shape, *, pool: int = 1) -> LayerArithmetic:
    channels_in, height, width = shape
    return LayerArithmetic(
        name=name,
        input_shape=shape,
        output_shape=(conv.channels, conv_output(height, conv) // pool, conv_output(width, conv) // pool),
        parameters=_conv_parameters(conv, channels_in),
        formula=conv_formula(conv, channels_in=channels_in, channels_out=Number(conv.channels)),
    )


def _primary_caps(primary: PrimaryCaps, shape: Shape) -> LayerArithmetic:
    channels_in, height, width = shape
    conv = primary.convolution
    places = conv_output(height, conv) * conv_output(width, conv)
    return LayerArithmetic(
        name="primary_caps",
        input_shape=shape,
        output_shape=(places * primary.types, primary.dimension),
        parameters=_conv_parameters(conv, channels_in),
        formula=conv_formula(conv, channels_in=channels_in, channels_out=product(primary.dimension, primary.types)),
    )


def _digit_caps(digit: DigitCaps, shape: Shape, *, types: int) -> LayerArithmetic:
    capsules, dimension_in = shape
    matrices = {"none": (capsules,), "grid": (types,), "all": ()}[digit.shared_w]
    pairs = (capsules, digit.classes)
    parameters = [_parameter("weight", (*matrices, digit.classes, dimension_in, digit.dimension))]
    if digit.bias:
        parameters.append(_parameter("bias", (digit.classes, digit.dimension)))
    if digit.logits != "zero":
        parameters.append(_parameter("logits", pairs, trainable=digit.logits == "trainable"))
    if digit.coupling == "trainable":
        parameters.append(_parameter("coupling", pairs))
    return LayerArithmetic(
        name="digit_caps",
        input_shape=shape,
        output_shape=(digit.classes, digit.dimension),
        parameters=tuple(parameters),
        formula=digit_caps_formula(digit, matrices=product(*matrices), capsules=capsules, dimension_in=dimension_in),
        frozen_formula=product(*pairs) if digit.logits == "frozen" else None,
    )


def decoder_inputs(decoder: Decoder, digit: DigitCaps) -> int:
    """How many values the decoder takes: 160 where the other capsules are masked, 16 where one is selected."""
    return digit.dimension * (digit.classes if decoder.input == "masked" else 1)


def _fully_connected(widths: Shape) -> Iterator[LayerArithmetic]:
    for index, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        yield LayerArithmetic(
            name=f"fc{index}",
            input_shape=(inputs,),
            output_shape=(outputs,),
            parameters=(_parameter("weight", (outputs, inputs)), _parameter("bias", (outputs,))),
            formula=(Number(inputs) + 1) * outputs,
        )


def _conv_parameters(conv: Convolution, channels_in: int) -> tuple[Parameter, ...]:
    weight = _parameter("weight", (conv.channels, channels_in, conv.kernel, conv.kernel))
    return (weight, _parameter("bias", (conv.channels,))) if conv.bias else (weight,)


def _parameter(name: str, shape: Shape, *, trainable: bool = True) -> Parameter:
    return Parameter(name=name, shape=shape, count=math.prod(shape), trainable=trainable)


def _image_shape(image: Image) -> Shape:
    return (image.channels, image.height, image.width)


def _impossible_capsnet(spec: CapsNet) -> str | None:
    sizes = (spec.image.height, spec.image.width)
    if fault := _too_large("conv1", spec.conv1, sizes):
        return fault
    height, width = (conv_output(size, spec.conv1) for size in sizes)
    return _too_large("primary_caps", spec.primary_caps.convolution, (height, width))


def _impossible_baseline(spec: Baseline) -> str | None:
    height, width = spec.image.height, spec.image.width
    for index, (conv, layer) in enumerate(zip(spec.convolutions, spec.layers, strict=True), start=1):
        if fault := _too_large(f"layers.{index}", conv, (height, width)):
            return fault
        height, width = conv_output(height, conv), conv_output(width, conv)
        if layer.pool > min(height, width):
            return f"layers.{index}.pool (={layer.pool}) is larger than its input (={height}×{width})"
        height, width = height // layer.pool, width // layer.pool
    return None


def _too_large(knob: str, conv: Convolution, sizes: tuple[int, int]) -> str | None:
    if all(conv_output(size, conv) >= 1 for size in sizes):
        return None
    padded = "" if conv.padding == "valid" else f" padded by {conv.padding}"
    return f"{knob}.kernel (={conv.kernel}) is larger than its input (={sizes[0]}×{sizes[1]}{padded})"


def total(spec: Spec) -> int:
    """Trainable parameters, by formula."""
    return sum(layer.formula.value for layer in layers(spec))
