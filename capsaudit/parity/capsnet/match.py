"""What a model computes at every stage: the readings that fit at all gains of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from capsaudit.errors import CapsauditError
from capsaudit.families.capsnet import CapsNet
from capsaudit.parity.base import NOT_STATED, Stage
from capsaudit.parity.calls import Call
from capsaudit.parity.capsnet.gradient import EARLIER, gradient_errors
from capsaudit.parity.capsnet.routing import Reading, class_squashes, first_sums, next_sums, readings, replayed
from capsaudit.parity.capsnet.stages import NONE_ABOVE, SQUASHES, USUAL_SQUASHES, deviations_of
from capsaudit.parity.decoder import ACTIVATIONS
from capsaudit.parity.equations import OUTPUTS, PLACES, VOTES, squash
from capsaudit.parity.found import Readings, at_every_gain, by_the_target, ends_of
from capsaudit.parity.front import Names, Primary, fronts
from capsaudit.parity.prepare import Run, convolved
from capsaudit.parity.record import TOLERANCE, Recording
from capsaudit.recognition.base import RecognisedNetwork

_KEPT = "kept from call to call"


def stages_of(spec: CapsNet) -> list[Stage]:
    """What the reference computes, stage by stage, and where the paper says so."""
    digit = spec.digit_caps
    routed = digit.iterations > 1
    return [
        Stage("conv1", ("ReLU",), "section 4"),
        Stage("primary_caps.layout", PLACES, "section 4", alike=True),
        Stage("primary_caps.squash", ("eq. 1",), "eq. 1"),
        Stage("votes", (VOTES,), "eq. 2"),
        *([Stage("bias", ("added to s",))] if digit.bias else []),
        Stage("logits", ("zero" if digit.logits == "zero" else "stored",), "procedure 1, line 2"),
        Stage("softmax", (NONE_ABOVE if digit.none_of_the_above else "over the classes",), "eq. 3"),
        *([Stage("agreement", ("added, each image by itself",), "procedure 1, line 7")] if routed else []),
        Stage("iterations", (str(digit.iterations),), "procedure 1, line 3"),
        Stage("digit_caps.squash", ("eq. 1",), "eq. 1"),
        Stage("output", ("lengths",), "section 3"),
        *([Stage("decoder", by_the_target(spec.decoder.input), "section 4.1")] if spec.decoder else []),
        *([Stage("gradient", (NOT_STATED, *EARLIER))] if routed else []),
    ]


@dataclass(frozen=True)
class Found(Readings[Reading]):
    """The readings of a capsule network. `again`: what a second call of the same copy recorded. `gradient`: the errors of ways to stop it."""

    again: Recording | None = None
    gradient: Mapping[str, float] = field(default_factory=dict)

    routing: ClassVar = ("softmax", "bias", "logits", "agreement", "iterations", "digit_caps.squash")

    def _primary(self) -> Primary:
        return _primary(self.run)

    def _squashes(self) -> dict[str, Callable[[Tensor], Tensor]]:
        return class_squashes(self.run.sizes.classes)

    def _replayed(self, reading: Reading, names: Names) -> Tensor:
        return replayed(self.run, reading.front.votes, names)[0]

    @property
    def ends_at_agreement(self) -> bool:
        """Whether the first iteration was found, and nothing of what follows from its capsules."""
        return bool(self.readings) and not any("iterations" in names for names in self.ends)

    def is_open(self, stage: str) -> bool:
        """Whether a stage that no reading names was reached: what is before it was found, and nothing that is known fits."""
        if self.ends_at_agreement:
            return stage == "agreement"
        if stage == "gradient":
            return bool(self.gradient)
        return super().is_open(stage) or (stage == "logits" and bool(self.readings))

    def unseen(self, stage: str) -> str:
        """Why a stage was not seen."""
        return "a stage before it could not be determined" if self.ends_at_agreement else super().unseen(stage)

    def _errors(self, stage: str) -> Iterator[tuple[str, float]]:
        if stage == "agreement":
            after = [each for reading in self.readings for each in next_sums(self.run, reading, None)]
            yield from ((each.names[stage], self.run.recording.error(each.s)) for each in after)
        if stage == "softmax":
            live = [each for front in self.fronts for each in first_sums(self.run, front, None)]
            yield from ((each.names[stage], self.run.recording.error(each.s)) for each in live)
        if stage == "gradient":
            yield from self.gradient.items()
        yield from super()._errors(stage)

    def error(self, stage: str, reference: str, *, agrees: bool) -> float | None:
        """The relative error of what the reference does at this stage; where it agrees, that of the values that were found."""
        if stage == "gradient" and self.readings:
            return (
                min(self.gradient.values(), default=None)
                if agrees
                else self.gradient.get(reference, self.gradient.get(EARLIER[0]))
            )
        if stage == "logits" and self.names(stage) == [_KEPT]:
            return self._second_call(self.readings[0])
        return super().error(stage, reference, agrees=agrees)

    def _second_call(self, reading: Reading) -> float | None:
        """How far the scores of a second call are from those of the first."""
        output = self.ends[0].get("output")
        return self.again.output_error(OUTPUTS[output](reading.v)) if self.again and output else None


def found_in(module: nn.Module, network: RecognisedNetwork, call: Call) -> Found:
    """Call copies of a module at every gain, and keep the readings that fit at all of them.

    Raises:
        CapsauditError: it does not run.
    """
    found = at_every_gain(module, network, call, _matched)
    return _called_again(found) if found.ends and not found.ends_at_agreement else found


def _matched(run: Run, allowed: Sequence[Names] | None, deviations: int) -> Found:
    """The readings that fit one run. `allowed`: what fitted at other gains."""
    front = fronts(run, _primary(run), allowed, deviations)
    routed, started = readings(run, front, allowed, deviations)
    ends = [end for each in routed for end in _ends_of(run, each) if allowed is None or end in allowed]
    kept = [each for each in routed if any(each.names.items() <= names.items() for names in ends)]
    return Found(run, front, kept, started, ends)


def _ends_of(run: Run, reading: Reading) -> list[Names]:
    """Of a routing that was found to its end, with what the model does with the class capsules."""
    return ends_of(run, reading) if "iterations" in reading.names else [reading.names]


def _primary(run: Run) -> Primary:
    """One convolution and its activation; the released code also divides by the number of types before the squash."""
    types = run.spec.primary_caps.types
    squashes = SQUASHES | {f"eq. 1 of s/{types}": lambda s, axis: squash(s / types, axis)}
    return Primary(tuple(ACTIVATIONS), partial(_channels, run), squashes, USUAL_SQUASHES, deviations_of)


def _channels(run: Run, activation: str) -> Tensor:
    """What the convolution of the primary capsules gives of the image."""
    features = ACTIVATIONS[activation](convolved(run.images, run.weights["conv1"], run.spec.conv1))
    return convolved(features, run.weights["primary_caps"], run.spec.primary_caps.convolution)


def _called_again(found: Found) -> Found:
    """What one forward pass in eval mode does not show: logits that are kept, the decoder in training, the gradient."""
    run, again = found.run, _again(found.run)
    reading, more, gradient = found.readings[0], dict[str, str](), dict[str, float]()
    if again is None or not run.recording.equals(again):
        kept = again and any(again.error(each) <= TOLERANCE for each in _with_kept_logits(run, reading))
        more["logits"] = _KEPT if kept else ""
    elif "output" in found.ends[0] and "agreement" in reading.names:
        gradient = _gradient(run, reading, found.ends[0]["output"])
        more["gradient"] = next((name for name, error in gradient.items() if error <= TOLERANCE), "")
    ends = [names | more for names in found.ends]
    return replace(
        found,
        ends=[{stage: name for stage, name in each.items() if name} for each in ends],
        again=again,
        gradient=gradient,
    )


def _again(run: Run) -> Recording | None:
    """None where a second call raises an error."""
    try:
        return run.again()
    except CapsauditError:
        return None


def _gradient(run: Run, reading: Reading, output: str) -> dict[str, float]:
    """The errors up to the first way that fits: each takes a backward pass. None where the model has none, as with a tensor that is needed
    for it and was changed: what its forward pass shows stands.
    """
    errors: dict[str, float] = {}
    with suppress(CapsauditError, RuntimeError):
        for name, error in gradient_errors(run, reading, output):
            errors[name] = error
            if error <= TOLERANCE:
                break
    return errors


def _with_kept_logits(run: Run, reading: Reading) -> Iterator[Tensor]:
    """The class capsules of a second call whose logits are those of the last iteration, and those after its agreement."""
    votes = reading.front.votes
    _, logits = replayed(run, votes, reading.names)
    yield replayed(run, votes, reading.names, logits)[0]
    once_more = reading.names | {"iterations": str(int(reading.names["iterations"]) + 1)}
    yield replayed(run, votes, reading.names, replayed(run, votes, once_more)[1])[0]
