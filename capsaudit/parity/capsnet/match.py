"""What a model computes at every stage: the readings that fit at all gains of its weights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from torch import Tensor, nn

from capsaudit.errors import CapsauditError
from capsaudit.families.capsnet import CapsNet
from capsaudit.parity.base import Stage
from capsaudit.parity.calls import Call
from capsaudit.parity.capsnet.front import ANY, PLACES, Front, Names, fronts, reference_error
from capsaudit.parity.capsnet.gradient import EARLIER, gradient_in
from capsaudit.parity.capsnet.routing import Reading, class_squashes, first_sums, readings, replayed
from capsaudit.parity.capsnet.stages import AGREEMENTS, NONE_ABOVE, OUTPUTS, agreement
from capsaudit.parity.decoder import decoded_in, decoder_errors, given_to
from capsaudit.parity.prepare import GAINS, Run, run_with
from capsaudit.parity.record import TOLERANCE, Recording, fitting
from capsaudit.recognition.base import RecognisedNetwork

_ROUTING = ("bias", "logits", "softmax", "agreement", "iterations", "digit_caps.squash")
_FRONT = ("conv1", "primary_caps.layout", "primary_caps.squash")

_DEVIATIONS = range(4)
"""Of readings whose values were not recorded, those with no deviation are tried first, then all with one, and so on."""

_KEPT = "kept from call to call"


def stages_of(spec: CapsNet) -> list[Stage]:
    """What the reference computes, stage by stage, and where the paper says so."""
    digit = spec.digit_caps
    routed = digit.iterations > 1
    return [
        Stage("conv1", ("ReLU",), "section 4"),
        Stage("primary_caps.layout", PLACES, "section 4"),
        Stage("primary_caps.squash", ("eq. 1",), "eq. 1"),
        Stage("votes", ("û = W u",), "eq. 2"),
        *([Stage("bias", ("added to s",))] if digit.bias else []),
        Stage("logits", ("zero" if digit.logits == "zero" else "stored",), "procedure 1, line 2"),
        Stage("softmax", (NONE_ABOVE if digit.none_of_the_above else "over the classes",), "eq. 3"),
        *([Stage("agreement", ("added, each image by itself",), "procedure 1, line 7")] if routed else []),
        Stage("iterations", (str(digit.iterations),), "procedure 1, line 3"),
        Stage("digit_caps.squash", ("eq. 1",), "eq. 1"),
        Stage("output", ("lengths",), "section 3"),
        *([_decoder(spec.decoder.input)] if spec.decoder else []),
        *([Stage("gradient", ("not stated", *EARLIER))] if routed else []),
    ]


def _decoder(how: str) -> Stage:
    """In eval mode the prediction may choose: then there is no target."""
    target = f"{how} by the target"
    return Stage("decoder", (target, f"{target}; in eval mode {how} by the prediction"), "section 4.1")


@dataclass(frozen=True)
class Found:
    """The readings of a model, and what its last run recorded. `started`: those of which only the first sums were found; `ends`: what they
    compute, with the stages behind the routing. `again`: what a second call of the same copy recorded.
    """

    run: Run
    fronts: Sequence[Front]
    readings: Sequence[Reading]
    started: Sequence[Reading]
    ends: Sequence[Names]
    again: Recording | None = None
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
        if stage in _FRONT:
            return bool(self.fronts)
        if stage == "output":
            return bool(self.readings) and self.run.recording.returns(self.run.sizes.classes)
        if stage == "decoder":
            return any(given_to(self.run, self.run.recording, each.v) for each in self.readings)
        if self.readings:
            return stage in ("logits", "gradient")
        return stage == ("digit_caps.squash" if self.started else "softmax" if self.fronts else "votes")

    def unseen(self, stage: str) -> str:
        """Why a stage was not seen."""
        if not self.readings:
            return "a stage before it could not be determined"
        if stage == "output":
            return "forward returns no value for each class"
        return "the forward pass does not show it"

    def nearest(self, stage: str) -> tuple[str, float] | None:
        """What comes nearest at a stage where nothing that is known fits, and its relative error."""
        errors = {name: error for name, error in self._errors(stage) if math.isfinite(error)}
        return min(errors.items(), key=itemgetter(1), default=None)

    def _errors(self, stage: str) -> Iterator[tuple[str, float]]:
        """Of each alternative of a stage that is open."""
        recording = self.run.recording
        if stage == "softmax":
            live = [each for front in self.fronts for each in first_sums(self.run, front, None)]
            yield from ((each.names[stage], recording.error(each.s)) for each in live)
        if stage == "digit_caps.squash":
            squashes = class_squashes(self.run.sizes.classes).items()
            yield from ((name, recording.error(of(each.s))) for each in self.started for name, of in squashes)
        if stage == "output":
            yield from ((name, recording.output_error(of(self.readings[0].v))) for name, of in OUTPUTS.items())
        if stage == "decoder":
            yield from decoder_errors(self.run, self.readings[0].v)

    def error(self, stage: str, reference: str, *, agrees: bool) -> float | None:
        """The relative error of what the reference does at this stage; where it agrees, that of the values that were found."""
        if not self.readings or stage == "gradient":
            return None
        reading = self.readings[0]
        if agrees:
            return reading.front.errors.get(stage, reading.error)
        if stage == "logits" and self.names(stage) == [_KEPT]:
            assert self.again is not None
            return self.again.error(reading.v)
        if stage in _ROUTING and stage in reading.names:
            other, _ = replayed(self.run, reading.front.votes, reading.names | {stage: reference})
            return float((other - reading.v).norm() / reading.v.norm())
        if stage == "output" and stage in self.ends[0]:
            return self.run.recording.output_error(OUTPUTS[reference](reading.v))
        if stage == "decoder" and stage in self.ends[0] and self.has_labels:
            return dict(decoder_errors(self.run, reading.v))[reference]
        if stage in _FRONT and stage in reading.names:
            return reference_error(self.run, reading.front, stage, reference)
        return None


def found_in(module: nn.Module, network: RecognisedNetwork, call: Call) -> Found:
    """Call copies of a module at every gain, and keep the readings that fit at all of them.

    Raises:
        CapsauditError: it does not run.
    """
    run = run_with(module, network, GAINS[0], call)
    found = next((each for number in _DEVIATIONS if (each := _matched(run, None, number)).ends), _matched(run, None, 0))
    for gain in GAINS[1:]:
        if found.ends:
            found = _matched(run_with(module, network, gain, call), found.ends, ANY)
    return _called_again(found) if found.ends else found


def _matched(run: Run, allowed: Sequence[Names] | None, deviations: int) -> Found:
    """The readings that fit one run. `allowed`: what fitted at other gains."""
    front = fronts(run, allowed, deviations)
    routed, started = readings(run, front, allowed, deviations)
    ends = [end for each in routed for end in _ends(run, each) if allowed is None or end in allowed]
    kept = [each for each in routed if any(each.names.items() <= names.items() for names in ends)]
    return Found(run, front, kept, started, ends)


def _ends(run: Run, reading: Reading) -> list[Names]:
    """The reading with what the model does with the class capsules: the scores, the decoder."""
    outputs = fitting({name: run.recording.output_error(of(reading.v)) for name, of in OUTPUTS.items()})
    return [
        reading.names | ({"output": output} if output else {}) | ({"decoder": decoder} if decoder else {})
        for output in outputs or [""]
        for decoder in decoded_in(run, reading.v) or [""]
    ]


def _called_again(found: Found) -> Found:
    """What one forward pass in eval mode does not show: logits that are kept, the decoder in training, the gradient."""
    run, again = found.run, found.run.again()
    reading, more = found.readings[0], dict[str, str]()
    if not run.recording.equals(again):
        kept = any(again.error(each) <= TOLERANCE for each in _with_kept_logits(run, reading))
        more["logits"] = _KEPT if kept else ""
    elif len(found.readings) == 1 and "output" in found.ends[0] and "agreement" in reading.names:
        ways = gradient_in(run, reading, found.ends[0]["output"])
        more["gradient"] = " or ".join(ways)
    ends = [_in_training(found, names | more) for names in found.ends]
    return replace(found, ends=[{stage: name for stage, name in each.items() if name} for each in ends], again=again)


def _with_kept_logits(run: Run, reading: Reading) -> Iterator[Tensor]:
    """The class capsules of a second call whose logits are those of the last iteration, and those after its agreement."""
    votes = reading.front.votes
    v, logits = replayed(run, votes, reading.names)
    yield replayed(run, votes, reading.names, logits)[0]
    update = AGREEMENTS[reading.names.get("agreement", next(iter(AGREEMENTS)))]
    yield replayed(run, votes, reading.names, update(logits, agreement(votes, v)))[0]


def _in_training(found: Found, names: Names) -> Names:
    """In training the decoder may be given other capsules."""
    if "decoder" not in names or not found.has_labels:
        return names
    try:
        recording = found.run.again(training=True)
    except CapsauditError:
        return names
    given = given_to(found.run, recording, found.readings[0].v)
    before, *activations = names["decoder"].split(", ")
    if len(given) != 1 or given == [before]:
        return names
    return names | {"decoder": f"{', '.join([*given, *activations])}; in eval mode {before}"}
