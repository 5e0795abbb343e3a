"""What a model computes at every stage: the readings that fit at all gains of its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit.families.capsnet import CapsNet
from capsaudit.parity.base import Stage
from capsaudit.parity.capsnet.front import Front, Names, fronts, reference_error
from capsaudit.parity.capsnet.routing import Reading, readings, replayed
from capsaudit.parity.capsnet.stages import OUTPUTS, masked, selected
from capsaudit.parity.prepare import GAINS, Run, run_with
from capsaudit.parity.record import fitting
from capsaudit.recognition.base import RecognisedNetwork

_ROUTING = ("bias", "logits", "softmax", "agreement", "iterations", "digit_caps.squash")
_FRONT = ("conv1", "primary_caps.layout", "primary_caps.squash")


_PLACES = ("channels of one place", "channels of one place, taken at equal distances")


def stages_of(spec: CapsNet) -> list[Stage]:
    """What the reference computes, stage by stage, and where the paper says so."""
    digit = spec.digit_caps
    softmax = "over the classes and none of the above" if digit.none_of_the_above else "over the classes"
    stages = [
        Stage("conv1", ("ReLU",), "section 4"),
        Stage("primary_caps.layout", _PLACES, "section 4"),
        Stage("primary_caps.squash", ("eq. 1",), "eq. 1"),
        Stage("votes", ("û = W u",), "eq. 2"),
        *([Stage("bias", ("added to s",))] if digit.bias else []),
        *([Stage("logits", ("stored",))] if digit.logits != "zero" else []),
        Stage("softmax", (softmax,), "eq. 3"),
        *(
            [Stage("agreement", ("added, each image by itself",), "procedure 1, line 7")]
            if digit.iterations > 1
            else []
        ),
        Stage("iterations", (str(digit.iterations),), "procedure 1, line 3"),
        Stage("digit_caps.squash", ("eq. 1",), "eq. 1"),
        Stage("output", ("lengths",), "section 3"),
    ]
    if spec.decoder:
        stages.append(Stage("decoder", (f"{spec.decoder.input} by the target",), "section 4.1"))
    return stages


@dataclass(frozen=True)
class Found:
    """The readings of a model, and what its last run recorded. `started`: those of which only the first sums were found."""

    run: Run
    fronts: Sequence[Front]
    readings: Sequence[Reading]
    started: Sequence[Reading]
    ends: Sequence[Names]
    gains: int = len(GAINS)

    @property
    def has_labels(self) -> bool:
        """Whether forward was given labels."""
        return self.run.labels is not None

    def names(self, stage: str) -> list[str]:
        """What the readings that fit say of a stage, each once."""
        known = self.ends or [each.names for each in self.started] or [each.names for each in self.fronts]
        return list(dict.fromkeys(names[stage] for names in known if stage in names))

    def is_open(self, stage: str) -> bool:
        """Whether a stage that no reading names was reached: what is before it was found, and nothing that is known fits."""
        if stage in ("conv1", "primary_caps.layout", "primary_caps.squash"):
            return bool(self.fronts)
        if stage == "output":
            return bool(self.readings) and self.run.recording.returns(self.run.sizes.classes)
        if self.readings:
            return False
        return stage == ("digit_caps.squash" if self.started else "softmax" if self.fronts else "votes")

    def unseen(self, stage: str) -> str:
        """Why a stage was not seen."""
        if not self.readings:
            return "a stage before it could not be determined"
        if stage == "output":
            return "forward returns no value for each class"
        return "the forward pass does not show it"

    def error(self, stage: str, reference: str, *, agrees: bool) -> float | None:
        """The relative error of what the reference does at this stage; where it agrees, that of the values that were found."""
        if not self.readings:
            return None
        reading = self.readings[0]
        if agrees:
            return reading.front.errors.get(stage, reading.error)
        if stage in _ROUTING and stage in reading.names:
            other = replayed(self.run, reading.front, reading.names | {stage: reference})
            return float((other - reading.v).norm() / reading.v.norm())
        if stage == "output" and stage in self.ends[0]:
            return self.run.recording.output_error(OUTPUTS[reference](reading.v))
        if stage == "decoder" and stage in self.ends[0] and self.has_labels:
            return self.run.recording.error(_hidden(self.run, _inputs(self.run, reading.v)[reference]))
        if stage in _FRONT and stage in reading.names:
            return reference_error(self.run, reading.front, stage, reference)
        return None


def found_in(module: nn.Module, network: RecognisedNetwork) -> Found:
    """Run copies of a module at every gain, and keep the readings that fit at all of them.

    Raises:
        CapsauditError: it does not run.
    """
    allowed: list[Names] | None = None
    for gain in GAINS:
        run = run_with(module, network, gain)
        front = fronts(run, allowed)
        routed, started = readings(run, front, allowed)
        ends = [end for each in routed for end in _ends(run, each) if allowed is None or end in allowed]
        allowed = ends
        if not ends:
            break
    kept = [each for each in routed if any(each.names.items() <= names.items() for names in ends)]
    return Found(run, front, kept, started, ends)


def _ends(run: Run, reading: Reading) -> list[Names]:
    """The reading with what the model does with the class capsules: the scores, the decoder."""
    outputs = fitting({name: run.recording.output_error(of(reading.v)) for name, of in OUTPUTS.items()})
    decoders = fitting(
        {name: run.recording.error(_hidden(run, inputs)) for name, inputs in _inputs(run, reading.v).items()}
    )
    return [
        reading.names | ({"output": str(o)} if o else {}) | ({"decoder": str(d)} if d else {})
        for o in outputs or [None]
        for d in decoders or [None]
    ]


def _hidden(run: Run, inputs: Tensor) -> Tensor:
    """What the first fully connected layer of the decoder gives."""
    weight, *bias = run.weights["fc1"]
    return F.linear(inputs, weight, *bias)


def _inputs(run: Run, capsules: Tensor) -> dict[str, Tensor]:
    """What the decoder may be given of the class capsules."""
    if run.spec.decoder is None:
        return {}
    how = run.spec.decoder.input
    choose: Callable[[Tensor, Tensor], Tensor] = masked if how == "masked" else selected
    given = {f"{how} by the prediction": choose(capsules, capsules.norm(dim=-1).argmax(-1))}
    if run.labels is not None:
        given[f"{how} by the target"] = choose(capsules, run.labels)
    return given | ({"not masked": capsules.flatten(1)} if how == "masked" else {})
