"""What was found in a model of any family: its readings, the stages before its votes, and those behind its class capsules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

from capsaudit.errors import CapsauditError
from capsaudit.parity.calls import Call
from capsaudit.parity.decoder import decoded_in, decoder_errors, given_to
from capsaudit.parity.equations import OUTPUTS
from capsaudit.parity.front import ANY, Front, Names, Primary, reference_error
from capsaudit.parity.prepare import GAINS, Run, run_with
from capsaudit.parity.record import Recording, fitting
from capsaudit.recognition.base import RecognisedNetwork

_FRONT = ("conv1", "primary_caps.layout", "primary_caps.squash")

_DEVIATIONS = range(4)
"""Of readings whose values were not recorded, those with no deviation are tried first, then all with one, and so on."""


class Routed(Protocol):
    """A reading of the routing."""

    @property
    def names(self) -> Names:
        """What it computes, by stage."""

    @property
    def front(self) -> Front:
        """What its votes are of."""

    @property
    def s(self) -> Tensor:
        """The sums of the votes [batch, class, dimension]."""

    @property
    def v(self) -> Tensor:
        """The class capsules [batch, class, dimension]."""

    @property
    def error(self) -> float:
        """Their relative error."""


R = TypeVar("R", bound=Routed)


@dataclass(frozen=True)
class Readings(Generic[R]):
    """The readings of a model, and what its last run recorded. `started`: those of which only the first sums were found; `ends`: what they
    compute, with the stages behind the routing; `earlier`: those of other gains, where none fits at all of them.

    A family says which stages its `routing` has, the first of them first, and what `_primary`, `_squashes` and `_replayed` give.
    """

    run: Run
    fronts: Sequence[Front]
    readings: Sequence[R]
    started: Sequence[R]
    ends: Sequence[Names]
    earlier: Sequence[Readings[R]] = ()
    gains: int = len(GAINS)

    routing: ClassVar[tuple[str, ...]]

    def _primary(self) -> Primary:
        """How the primary capsules may come of the images."""
        raise NotImplementedError

    def _squashes(self) -> Mapping[str, Callable[[Tensor], Tensor]]:
        """What the squash of the class capsules may be."""
        raise NotImplementedError

    def _replayed(self, reading: R, names: Names) -> Tensor:
        """The class capsules of a reading's votes if the routing computed what these names say."""
        raise NotImplementedError

    @property
    def precision(self) -> Literal["float64", "float32"]:
        """The floating-point numbers that the model ran with."""
        return "float32" if self.run.call.dtype == torch.float32 else "float64"

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
            return False
        return stage == ("digit_caps.squash" if self.started else self.routing[0] if self.fronts else "votes")

    def unseen(self, stage: str) -> str:
        """Why a stage was not seen."""
        if not self.readings:
            return "a stage before it could not be determined"
        if stage == "output":
            return "forward returns no value for each class"
        return "the forward pass does not show it"

    def nearest(self, stage: str) -> tuple[str, float] | None:
        """What comes nearest at a stage where nothing that is known fits, and its relative error: at the gain where it is largest."""
        by_gain = [each for run in (self, *self.earlier) if (each := run._least(stage))]
        worst = {name: max(each.get(name, math.inf) for each in by_gain) for name in (by_gain[0] if by_gain else ())}
        found = {name: error for name, error in worst.items() if math.isfinite(error)}
        return min(found.items(), key=itemgetter(1), default=None)

    def _least(self, stage: str) -> dict[str, float]:
        """The least error of each alternative."""
        errors: dict[str, float] = {}
        for name, error in self._errors(stage):
            errors[name] = min(error, errors.get(name, math.inf))
        return errors

    def _errors(self, stage: str) -> Iterator[tuple[str, float]]:
        """Of each alternative of a stage that is open."""
        if stage == "digit_caps.squash":
            for name, squash in self._squashes().items():
                if name != "no squash":  # the sums are recorded whatever is made of them
                    yield from ((name, self.run.recording.error(squash(each.s))) for each in self.started)
        if stage == "output":
            yield from ((name, self.run.recording.output_error(of(self.readings[0].v))) for name, of in OUTPUTS.items())
        if stage == "decoder":
            yield from decoder_errors(self.run, self.readings[0].v)

    def error(self, stage: str, reference: str, *, agrees: bool) -> float | None:
        """The relative error of what the reference does at this stage; where it agrees, that of the values that were found."""
        if not self.readings:
            return None
        reading = self.readings[0]
        if agrees:
            return reading.front.errors.get(stage, reading.error)
        if stage in self.routing and stage in reading.names:
            other = self._replayed(reading, reading.names | {stage: reference})
            return float((other - reading.v).norm() / max(other.norm(), reading.v.norm()))
        if stage == "output" and stage in self.ends[0]:
            return self.run.recording.output_error(OUTPUTS[reference](reading.v))
        if stage == "decoder" and stage in self.ends[0] and self.has_labels:
            return dict(decoder_errors(self.run, reading.v)).get(reference.partition("; ")[0])
        if stage in _FRONT and stage in reading.names:
            return reference_error(self.run, self._primary(), reading.front, stage, reference)
        return None


F = TypeVar("F", bound=Readings)  # type: ignore[type-arg]


def at_every_gain(
    module: nn.Module,
    network: RecognisedNetwork,
    call: Call,
    matched: Callable[[Run, Sequence[Names] | None, int], F],
    gains: Sequence[float] = GAINS,
) -> F:
    """Run copies of a module at every gain, and keep the readings that fit at all of them: those of the first gain. At large weights no
    gradient comes through the softmax, and all squashes have length 1.

    `matched` gives those of one run: of what is allowed, and, where no values show what is computed, of at most so many deviations.

    Raises:
        CapsauditError: it does not run.
    """
    run = run_with(module, network, gains[0], call)
    for deviations in _DEVIATIONS:
        found = matched(run, None, deviations)
        if found.ends:
            break
    first = found
    for gain in gains[1:]:
        again = run_with(module, network, gain, call)
        found = _also(found, matched(again, found.ends, ANY) if found.ends else matched(again, None, 0))
    if not found.ends:
        return found
    fit = [each for each in first.readings if any(each.names.items() <= names.items() for names in found.ends)]
    trained = _trained(module, network, call, gains[0]) if run.labels is not None else None
    return replace(first, readings=fit, ends=[_in_training(run, fit[0], trained, names) for names in found.ends])


def _trained(module: nn.Module, network: RecognisedNetwork, call: Call, gain: float) -> Recording | None:
    """What another copy computes in train mode."""
    try:
        return run_with(module, network, gain, call, training=True).recording
    except CapsauditError:
        return None


def _also(before: F, found: F) -> F:
    """What was found at one more gain, without what did not fit before."""
    started, known = [each.names for each in before.started], [each.names for each in before.fronts]
    return replace(
        found,
        fronts=[each for each in found.fronts if each.names in known],
        started=[each for each in found.started if each.names in started],
        readings=found.readings if before.ends else [],
        ends=found.ends if before.ends else [],
        earlier=[] if before.ends and found.ends else [*before.earlier, before],
    )


def ends_of(run: Run, reading: Routed) -> list[Names]:
    """The reading with what the model does with the class capsules: the scores, the decoder."""
    outputs = fitting({name: run.recording.output_error(of(reading.v)) for name, of in OUTPUTS.items()})
    return [
        reading.names | ({"output": output} if output else {}) | ({"decoder": decoder} if decoder else {})
        for output in outputs or [""]
        for decoder in decoded_in(run, reading.v) or [""]
    ]


def _in_training(run: Run, reading: Routed, trained: Recording | None, names: Names) -> Names:
    """In training the decoder may be given other capsules."""
    if "decoder" not in names or trained is None:
        return names
    given = given_to(run, trained, reading.v)
    before, *activations = names["decoder"].split(", ")
    if len(given) != 1 or given == [before]:
        return names
    return names | {"decoder": f"{', '.join([*given, *activations])}; in eval mode {before}"}


def by_the_target(how: str) -> tuple[str, ...]:
    """What a decoder's reference is. In eval mode the prediction may choose: then there is no target."""
    target = f"{how} by the target"
    return target, f"{target}; in eval mode {how} by the prediction"
