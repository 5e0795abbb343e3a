"""The plain convolutional network that Sabour et al. 2017 compare with: its knobs, its layers in closed form, what depends on which knob."""

from __future__ import annotations

import math
from collections.abc import Iterator

from capsaudit.arithmetic import (
    LayerArithmetic,
    conv_fault,
    conv_output,
    convolution,
    fully_connected,
    image_shape,
)
from capsaudit.families.base import POSSIBLE, Family, Values
from capsaudit.spec import Convolution, Padding, Settings, Share, Size, Spec, Widths


class BaselineLayer(Settings, frozen=True):
    """A convolution of the baseline, with a bias and a ReLU, and a `pool`×`pool` maximum behind it (1: no pooling)."""

    channels: Size
    kernel: Size
    stride: Size
    pool: Size


class FullyConnected(Settings, frozen=True):
    """The layers behind the convolutions: hidden widths, then one output for each class; dropout before the last layer."""

    hidden: Widths
    classes: Size
    dropout: Share


class Baseline(Spec, frozen=True):
    """The plain convolutional network that the paper compares with."""

    padding: Padding
    layers: tuple[BaselineLayer, ...]
    fully_connected: FullyConnected

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The layers as plain convolutions."""
        return tuple(
            Convolution(
                channels=layer.channels, kernel=layer.kernel, stride=layer.stride, padding=self.padding, bias=True
            )
            for layer in self.layers
        )


def _layers(spec: Baseline) -> Iterator[LayerArithmetic]:
    shape = image_shape(spec.image)
    for index, (conv, layer) in enumerate(zip(spec.convolutions, spec.layers, strict=True), start=1):
        row = convolution(f"conv{index}", conv, shape, pool=layer.pool)
        yield row
        shape = row.output_shape
    yield from fully_connected((math.prod(shape), *spec.fully_connected.hidden, spec.fully_connected.classes))


def _sides(spec: Baseline) -> Iterator[tuple[int, int]]:
    height, width = spec.image.height, spec.image.width
    for conv, layer in zip(spec.convolutions, spec.layers, strict=True):
        height, width = conv_output(height, conv) // layer.pool, conv_output(width, conv) // layer.pool
        yield height, width


def _impossible(spec: Baseline) -> str | None:
    height, width = spec.image.height, spec.image.width
    for index, (conv, layer) in enumerate(zip(spec.convolutions, spec.layers, strict=True), start=1):
        if fault := conv_fault(f"layers.{index}", conv, (height, width)):
            return fault
        height, width = conv_output(height, conv), conv_output(width, conv)
        if layer.pool > min(height, width):
            return f"layers.{index}.pool (={layer.pool}) is larger than its input (={height}×{width})"
        height, width = height // layer.pool, width // layer.pool
    return None


def _scopes(spec: Baseline, values: Values) -> dict[str, frozenset[str]]:
    """One part for each convolution of the deepest network: lists of layers may have several lengths."""
    scopes: dict[str, frozenset[str]] = {}
    for number in range(1, max(map(len, (spec.layers, *values.get("layers", ())))) + 1):
        before = f"layers.{number - 1}.channels" if number > 1 else "image.channels"
        own = {f"layers.{number}.channels", f"layers.{number}.kernel"}
        scopes[f"conv{number}"] = frozenset({before, "counting.biases"} | own)
    scopes["fc"] = frozenset({"image", "padding", "layers", "fully_connected", "counting.biases"})
    scopes[POSSIBLE] = frozenset({"image", "padding", "layers"})
    return scopes


BASELINE = Family(
    name="baseline",
    spec=Baseline,
    layers=_layers,
    impossible=_impossible,
    sides=_sides,
    classes=lambda spec: spec.fully_connected.classes,
    scopes=_scopes,
    stated_shapes=lambda spec, _layer: [image_shape(spec.image)],
    shares=lambda _spec, _layer: {},
    knob_order=("fully_connected", "layers", "padding", "image"),
    layer_order=("conv", "fc"),
    uncounted_knobs=frozenset({"fully_connected.dropout"}),
)
