"""What an Efficient-CapsNet computes at every stage: the readings that fit at all gains of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.inspection.modules.walk import walk
from capsaudit.parity.base import Stage
from capsaudit.parity.calls import Call
from capsaudit.parity.efficient_capsnet.convolutions import Convolutions
from capsaudit.parity.efficient_capsnet.routing import Reading, is_plain, readings, replayed, squashes, sums_of
from capsaudit.parity.efficient_capsnet.stages import (
    CONVOLUTION,
    LOGITS,
    SOFTMAXES,
    SQUASHES,
    USUAL_SQUASHES,
    deviations_of,
)
from capsaudit.parity.equations import PLACES, VOTES
from capsaudit.parity.found import Readings, at_every_gain, by_the_target, ends_of
from capsaudit.parity.front import Names, Primary, fronts
from capsaudit.parity.prepare import Run
from capsaudit.recognition.base import RecognisedNetwork

_GAINS = (0.5, 0.8, 0.2)
"""Lower than those of other families: the squash is within rounding of one already at a length of 16 in float32, and the prediction is then
any of the longest capsules.
"""


def stages_of(spec: EfficientCapsNet) -> list[Stage]:
    """What the reference computes, stage by stage. Its equations are cited by none of their numbers: they are not known for certain."""
    squash = tuple(SQUASHES)[:1]
    return [
        Stage("conv1", (CONVOLUTION,)),
        Stage("primary_caps.layout", PLACES, alike=True),
        Stage("primary_caps.squash", squash),
        Stage("votes", (VOTES,)),
        Stage("agreement", (f"divided by √{spec.digit_caps.dimension}",)),
        Stage("softmax", tuple(SOFTMAXES)[:1]),
        *([Stage("logits", tuple(LOGITS)[:1])] if spec.digit_caps.logits == "trainable" else []),
        Stage("digit_caps.squash", squash),
        Stage("output", ("lengths",)),
        *([Stage("decoder", by_the_target(spec.decoder.input))] if spec.decoder else []),
    ]


@dataclass(frozen=True)
class Found(Readings[Reading]):
    """The readings of an Efficient-CapsNet."""

    convolutions: Convolutions | None = None

    routing: ClassVar = ("agreement", "softmax", "logits", "digit_caps.squash")

    def _primary(self) -> Primary:
        assert self.convolutions is not None
        return _primary(self.run, self.convolutions)

    def _squashes(self) -> dict[str, Callable[[Tensor], Tensor]]:
        return squashes(self.run)

    def _replayed(self, reading: Reading, names: Names) -> Tensor:
        return replayed(self.run, reading, names)

    def _errors(self, stage: str) -> Iterator[tuple[str, float]]:
        """Where the sums were not found, the whole routing up to them is named."""
        if stage == "agreement":
            live = [each for front in self.fronts for each in sums_of(self.run, front, None)]
            for each in (each for each in live if not is_plain(each)):
                named = [f"{part} {each.names[part]}" for part in self.routing if part in each.names]
                yield ", ".join(named), self.run.recording.error(each.s)
        yield from super()._errors(stage)

    def error(self, stage: str, reference: str, *, agrees: bool) -> float | None:
        """None also where the model stores no running statistics, which the reference would use."""
        if stage == "conv1" and self.convolutions and not self.convolutions.can(self.run, reference):
            return None
        return super().error(stage, reference, agrees=agrees)


def found_in(module: nn.Module, network: RecognisedNetwork, call: Call) -> Found:
    """Call copies of a module at every gain, and keep the readings that fit at all of them.

    Raises:
        CapsauditError: it does not run.
    """
    known: list[Convolutions] = []

    def matched(run: Run, allowed: Sequence[Names] | None, deviations: int) -> Found:
        if not known:
            known.append(Convolutions(run, _epsilons(module, network)))
        return _matched(run, known[0], allowed, deviations)

    return at_every_gain(module, network, call, matched, _GAINS)


def _epsilons(module: nn.Module, network: RecognisedNetwork) -> dict[str, float]:
    """What each normalisation adds to the variance; torch's default where its module does not say."""
    modules = dict(walk(module))
    norms = {name: modules[tensors[0].layer] for name, tensors in network.layers.items() if name.startswith("bn")}
    return {name: float(getattr(norm, "eps", 1e-5)) for name, norm in norms.items()}


def _matched(run: Run, convolutions: Convolutions, allowed: Sequence[Names] | None, deviations: int) -> Found:
    """The readings that fit one run. `allowed`: what fitted at other gains."""
    front = fronts(run, _primary(run, convolutions), allowed, deviations)
    routed, started = readings(run, front, allowed, deviations)
    ends = [end for each in routed for end in ends_of(run, each) if allowed is None or end in allowed]
    kept = [each for each in routed if any(each.names.items() <= names.items() for names in ends)]
    return Found(run, front, kept, started, ends, convolutions=convolutions)


def _primary(run: Run, convolutions: Convolutions) -> Primary:
    """Convolutions with their activations and normalisations, then one kernel for each channel."""
    channels = partial(convolutions.channels, run)
    return Primary(tuple(convolutions.names), channels, SQUASHES, USUAL_SQUASHES, deviations_of)
