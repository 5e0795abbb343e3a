"""The convolutions before the primary capsules: which activation and which normalisation each has, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from torch import Tensor
from torch.nn import functional as F

from capsaudit.parity.efficient_capsnet.stages import CONVOLUTION, Norm, activated
from capsaudit.parity.prepare import Run, convolved
from capsaudit.parity.record import TOLERANCE


class Convolutions:
    """The readings of the convolutions in one run. `epsilons`: that of each normalisation, by its layer's name."""

    def __init__(self, run: Run, epsilons: Mapping[str, float]) -> None:
        self.run = run
        numbers = range(1, len(run.spec.layers) + 1)
        self.ways = [activated(_norm(run, f"bn{number}", epsilons)) for number in numbers]

    @cached_property
    def channels(self) -> dict[str, Tensor]:
        """What the primary capsules' convolution gives [batch, channel, height, width], by the readings of those before it that fit: the
        reference's alone if it does.
        """
        if self.has(CONVOLUTION) and self._is_recorded(reference := self.alike(CONVOLUTION)):
            return {CONVOLUTION: reference}
        return self._layer_by_layer()

    def has(self, name: str) -> bool:
        """Whether all layers can be computed in this way: some normalisations have no running statistics."""
        return all(name in ways for ways in self.ways)

    def of(self, name: str) -> Tensor:
        """The same by a name: of a reading that fits, or of one that all layers have in common."""
        return self.channels[name] if name in self.channels else self.alike(name)

    def alike(self, name: str) -> Tensor:
        """If all layers are computed in the same way."""
        features = self.run.images
        for number, ways in enumerate(self.ways, start=1):
            features = ways[name](self._convolved(features, number))
        return self._depthwise(features)

    def _layer_by_layer(self) -> dict[str, Tensor]:
        """Of each layer's ways, those whose result was recorded, as was what the next convolution makes of it."""
        live: list[tuple[tuple[str, ...], Tensor]] = [((), self.run.images)]
        for number, ways in enumerate(self.ways, start=1):
            given = [(names, self._convolved(features, number)) for names, features in live]
            made = [
                ((*names, name), way(features))
                for names, features in given
                if self._is_recorded(features)
                for name, way in ways.items()
            ]
            live = [(names, features) for names, features in made if self._is_recorded(features)]
        last = {_named(names): self._depthwise(features) for names, features in live}
        return {name: channels for name, channels in last.items() if self._is_recorded(channels)}

    def _is_recorded(self, values: Tensor) -> bool:
        return self.run.recording.error(values) <= TOLERANCE

    def _convolved(self, features: Tensor, number: int) -> Tensor:
        layer = self.run.spec.layers[number - 1]
        return convolved(features, self.run.weights[f"conv{number}"], layer.convolution)

    def _depthwise(self, features: Tensor) -> Tensor:
        """One kernel for each channel."""
        weight, *bias = self.run.weights["primary_caps"]
        stride: int = self.run.spec.primary_caps.stride
        return F.conv2d(features, weight, bias[0] if bias else None, stride, groups=features.shape[1])


def _norm(run: Run, layer: str, epsilons: Mapping[str, float]) -> Norm:
    """Its scale and shift, and its running mean and variance where there are any."""
    scale, shift, *running = [each for each in run.weights[layer] if each.dim() == 1]
    mean, variance = running if len(running) == 2 else (None, None)
    return Norm(scale, shift, mean, variance, epsilons[layer])


def _named(names: tuple[str, ...]) -> str:
    """What all layers have in common, or the layers that are not as in the reference.

    >>> _named(("ReLU, BatchNorm behind it", "ReLU, no normalisation"))
    'ReLU, no normalisation in conv2'
    """
    if len(set(names)) == 1:
        return names[0]
    layers: dict[str, list[str]] = {}
    for number, name in enumerate(names, start=1):
        layers.setdefault(name, []).append(f"conv{number}")
    return "; ".join(f"{name} in {', '.join(where)}" for name, where in layers.items() if name != CONVOLUTION)
