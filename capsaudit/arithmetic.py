"""Shapes and parameters of one layer of each kind in closed form: integers in, integers out. Imports neither torch nor rich.

The forms are polynomials, so that sizes may also be arrays of integers: then shapes and counts are such arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from capsaudit.formula import Formula, Number, product
from capsaudit.spec import Convolution, Decoder, Image

Shape = tuple[int, ...]


class Parameter(Struct, frozen=True):
    """A tensor of a layer: its name within the layer, its shape, its number of values, and whether it is trained."""

    name: str
    shape: Shape
    count: int
    trainable: bool


class LayerArithmetic(Struct, frozen=True, kw_only=True):
    """A layer in closed form. Shapes are without the batch: [channels, height, width], [capsules, dimension] or [features].

    `formula` counts what is trainable, `frozen_formula` what is stored but not trained. `buffers` are stored tensors that are no
    parameters, `computed` tensors that the forward pass computes and some authors count. `bare`: the parameters belong to no layer class
    of torch, so that some tools miss them. `decoder`: the layer belongs to the reconstruction network. `conv` and `pool`: the convolution
    that the layer is, and the side of the squares that are reduced to their maximum behind it.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    parameters: tuple[Parameter, ...]
    formula: Formula
    frozen_formula: Formula | None = None
    buffers: tuple[Parameter, ...] = ()
    computed: tuple[Parameter, ...] = ()
    bare: bool = False
    decoder: bool = False
    conv: Convolution | None = None
    pool: int = 1


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


def convolution(name: str, conv: Convolution, shape: Shape, *, pool: int = 1) -> LayerArithmetic:
    """A convolution of [channels, height, width], followed by a maximum over squares of `pool`×`pool`."""
    channels_in, height, width = shape
    return LayerArithmetic(
        name=name,
        input_shape=shape,
        output_shape=(conv.channels, conv_output(height, conv) // pool, conv_output(width, conv) // pool),
        parameters=conv_parameters(conv, channels_in),
        formula=conv_formula(conv, channels_in=channels_in, channels_out=Number(conv.channels)),
        conv=conv,
        pool=pool,
    )


def conv_parameters(conv: Convolution, channels_in: int) -> tuple[Parameter, ...]:
    """Weight and bias of a convolution."""
    weight = parameter("weight", (conv.channels, channels_in, conv.kernel, conv.kernel))
    return (weight, parameter("bias", (conv.channels,))) if conv.bias else (weight,)


def batch_norm(name: str, shape: Shape) -> LayerArithmetic:
    """Batch normalisation of [channels, height, width]: scale and shift for each channel; its running statistics are buffers.

    >>> layer = batch_norm("bn1", (32, 24, 24))
    >>> str(layer.formula), [(buffer.name, buffer.count) for buffer in layer.buffers]
    ('2·32', [('running_mean', 32), ('running_var', 32), ('num_batches_tracked', 1)])
    """
    channels = (shape[0],)
    statistics = ("running_mean", "running_var")
    return LayerArithmetic(
        name=name,
        input_shape=shape,
        output_shape=shape,
        parameters=(parameter("weight", channels), parameter("bias", channels)),
        formula=product(2, shape[0]),
        buffers=(
            *(parameter(statistic, channels, trainable=False) for statistic in statistics),
            parameter("num_batches_tracked", (), trainable=False),
        ),
    )


def conv_fault(knob: str, conv: Convolution, sizes: tuple[int, int]) -> str | None:
    """Why a convolution cannot be applied to an image of this height and width; None where it can."""
    if all(conv_output(size, conv) >= 1 for size in sizes):
        return None
    padded = "" if conv.padding == "valid" else f" padded by {conv.padding}"
    return f"{knob}.kernel (={conv.kernel}) is larger than its input (={sizes[0]}×{sizes[1]}{padded})"


def fully_connected(widths: Shape, *, decoder: bool = False) -> Iterator[LayerArithmetic]:
    """The layers `fc1 … fcN` between these widths.

    >>> [str(layer.formula) for layer in fully_connected((784, 300, 10))]
    ['(784 + 1)·300', '(300 + 1)·10']
    """
    for index, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        yield LayerArithmetic(
            name=f"fc{index}",
            input_shape=(inputs,),
            output_shape=(outputs,),
            parameters=(parameter("weight", (outputs, inputs)), parameter("bias", (outputs,))),
            formula=(Number(inputs) + 1) * outputs,
            decoder=decoder,
        )


def reconstruction(decoder: Decoder | None, image: Image, *, classes: int, dimension: int) -> Iterator[LayerArithmetic]:
    """The layers of a decoder from class capsules to pixels; none without a decoder."""
    if decoder is not None:
        inputs = decoder.inputs(classes=classes, dimension=dimension)
        yield from fully_connected((inputs, *decoder.hidden, math.prod(image_shape(image))), decoder=True)


def image_shape(image: Image) -> Shape:
    """[channels, height, width]."""
    return (image.channels, image.height, image.width)


def parameter(name: str, shape: Shape, *, trainable: bool = True) -> Parameter:
    """A tensor with the count that its shape gives."""
    return Parameter(name=name, shape=shape, count=math.prod(shape), trainable=trainable)
