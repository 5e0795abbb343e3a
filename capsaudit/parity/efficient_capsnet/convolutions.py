"""The convolutions before the primary capsules: which activation and which normalisation each has, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor
from torch.nn import functional as F

from capsaudit.parity.efficient_capsnet.stages import CONVOLUTION, Norm, activated
from capsaudit.parity.prepare import Run, convolved
from capsaudit.parity.record import TOLERANCE


class Convolutions:
    """The readings of the convolutions that fit the first run: no gain changes what they give.

    `epsilons`: what each normalisation adds to the variance, by its layer's name. `names`: each reading by the ways of its layers.
    """

    def __init__(self, run: Run, epsilons: Mapping[str, float]) -> None:
        self.epsilons = epsilons
        self.names: dict[str, tuple[str, ...]] = {}
        alike = (CONVOLUTION,) * len(run.spec.layers)
        reference = self.can(run, CONVOLUTION) and _is_recorded(run, self.channels(run, CONVOLUTION))
        self.names = {_named(ways): ways for ways in ([alike] if reference else self._layer_by_layer(run))}

    def can(self, run: Run, way: str) -> bool:
        """Whether all layers can be computed in this way: some normalisations have no running statistics."""
        return all(way in self._ways(run, number) for number in _numbers(run))

    def channels(self, run: Run, name: str) -> Tensor:
        """What the primary capsules' convolution gives [batch, channel, height, width], by a reading, or by a way that all layers have."""
        features, ways = run.images, self.names.get(name) or (name,) * len(run.spec.layers)
        for number, way in zip(_numbers(run), ways, strict=True):
            features = self._ways(run, number)[way](_convolved(run, features, number))
        return _depthwise(run, features)

    def _ways(self, run: Run, number: int) -> Mapping[str, Callable[[Tensor], Tensor]]:
        scale, shift, *running = [each for each in run.weights[f"bn{number}"] if each.dim() == 1]
        mean, variance = running if len(running) == 2 else (None, None)
        return activated(Norm(scale, shift, mean, variance, self.epsilons[f"bn{number}"]))

    def _layer_by_layer(self, run: Run) -> Iterator[tuple[str, ...]]:
        """Of each layer's ways, those whose result was recorded, as was what the next convolution makes of it."""
        live: list[tuple[tuple[str, ...], Tensor]] = [((), run.images)]
        for number in _numbers(run):
            given = [(ways, _convolved(run, features, number)) for ways, features in live]
            made = [
                ((*ways, name), way(features))
                for ways, features in given
                if _is_recorded(run, features)
                for name, way in self._ways(run, number).items()
            ]
            live = [(ways, features) for ways, features in made if _is_recorded(run, features)]
        return (ways for ways, features in live if _is_recorded(run, _depthwise(run, features)))


def _numbers(run: Run) -> range:
    return range(1, len(run.spec.layers) + 1)


def _is_recorded(run: Run, values: Tensor) -> bool:
    return run.recording.error(values) <= TOLERANCE


def _convolved(run: Run, features: Tensor, number: int) -> Tensor:
    return convolved(features, run.weights[f"conv{number}"], run.spec.layers[number - 1].convolution)


def _depthwise(run: Run, features: Tensor) -> Tensor:
    """The convolution of the primary capsules: one kernel for each channel."""
    weight, *bias = run.weights["primary_caps"]
    stride: int = run.spec.primary_caps.stride
    return F.conv2d(features, weight, bias[0] if bias else None, stride, groups=features.shape[1])


def _named(ways: tuple[str, ...]) -> str:
    """What all layers have in common, or the layers that are not as in the reference.

    >>> _named(("ReLU, BatchNorm behind it", "ReLU, no normalisation"))
    'ReLU, no normalisation in conv2'
    """
    if len(set(ways)) == 1:
        return ways[0]
    layers: dict[str, list[str]] = {}
    for number, way in enumerate(ways, start=1):
        layers.setdefault(way, []).append(f"conv{number}")
    return "; ".join(f"{way} in {', '.join(where)}" for way, where in layers.items() if way != CONVOLUTION)
