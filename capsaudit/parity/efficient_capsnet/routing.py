"""From the votes û to the class capsules: the readings of self-attention routing whose values were recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from capsaudit.parity.efficient_capsnet.stages import (
    LOGITS,
    SOFTMAXES,
    SQUASHES,
    USUAL_SQUASHES,
    agreements,
    attention,
    deviations_of,
)
from capsaudit.parity.equations import OUTPUTS, VOTES, squashes_of, weighted_sum
from capsaudit.parity.front import Front, Names, may
from capsaudit.parity.prepare import Run
from capsaudit.parity.record import TOLERANCE, fitting


@dataclass(frozen=True)
class Reading:
    """What a routing computes by stage, its sums s and its class capsules v."""

    names: Names
    front: Front
    s: Tensor
    v: Tensor
    error: float = 0.0


def readings(
    run: Run, found: Sequence[Front], allowed: Sequence[Names] | None, deviations: int
) -> tuple[list[Reading], list[Reading]]:
    """The readings whose sums and capsules are those that were recorded; and those of which the sums were, but for plain sums of votes: Σ_k A_ik is
    û_i · Σ_k û_k, so that these may be there for its sake.

    Where the model makes none of these values, only what it returns decides: of the readings of at most so many deviations more than the
    fewest. `allowed`: what fitted at other gains.
    """
    sums = [each for front in found for each in sums_of(run, front, allowed)]
    seen = _recorded(run, sums, [each.s for each in sums])
    started = [each for each in seen if not is_plain(each)]
    squashed = [each for reading in seen or _few(run, sums, deviations) for each in _squashed(run, reading, allowed)]
    ended = _recorded(run, squashed, [each.v for each in squashed]) or squashed
    returned = _returned(run, ended)
    likely = returned if returned or ended is squashed else ended
    return [each for each in likely if not _is_there_anyway(each)] or returned, started


def is_plain(reading: Reading) -> bool:
    """Whether all coefficients are one."""
    return torch.allclose(reading.s, reading.front.votes.sum(1))


def _is_there_anyway(reading: Reading) -> bool:
    """Whether its capsules are recorded whatever is made of them: sums of the votes, plain ones or those of other coefficients."""
    return reading.names["digit_caps.squash"] == "no squash" or is_plain(reading)


def sums_of(run: Run, front: Front, allowed: Sequence[Names] | None) -> Iterator[Reading]:
    """The readings up to the sums."""
    for agreement, softmax, logits in product(_divisors(run), SOFTMAXES, LOGITS if _has_logits(run) else ("",)):
        names = front.names | {"votes": VOTES, "agreement": agreement, "softmax": softmax}
        names |= {"logits": logits} if logits else {}
        if may(names, allowed):
            yield from (Reading(names, front, s, s) for s in _sums(run, front.votes, names))


def _sums(run: Run, votes: Tensor, names: Names) -> Iterator[Tensor]:
    """s = Σ_i c_i û_i, for each way to read the log priors."""
    agreement = attention(votes) / _divisors(run)[names["agreement"]]
    coupled = LOGITS[names.get("logits", "not used")]
    for stored in _stored(run):
        yield weighted_sum(coupled(SOFTMAXES[names["softmax"]], agreement, stored), votes)


def _divisors(run: Run) -> dict[str, float]:
    capsules, dimension_in, _, dimension = run.sizes
    return agreements(capsules, dimension_in, dimension)


def _has_logits(run: Run) -> bool:
    return bool(run.spec.digit_caps.logits == "trainable")


def _stored(run: Run) -> list[Tensor]:
    """The log priors as [capsule, class]: in both orders, where there are as many capsules as classes."""
    wanted = (run.sizes.capsules, run.sizes.classes)
    if not _has_logits(run):
        return [torch.zeros(wanted, dtype=torch.float64)]
    stored = run.weights["digit_caps"][1].squeeze()
    return [read for read in (stored, stored.T) if read.shape == wanted]


def squashes(run: Run) -> dict[str, Callable[[Tensor], Tensor]]:
    """What the squash of the class capsules may be."""
    return squashes_of(run.sizes.classes, SQUASHES, USUAL_SQUASHES)


def _squashed(run: Run, reading: Reading, allowed: Sequence[Names] | None) -> Iterator[Reading]:
    for name, squash in squashes(run).items():
        names = reading.names | {"digit_caps.squash": name}
        if may(names, allowed):
            yield replace(reading, names=names, v=squash(reading.s))


def _recorded(run: Run, live: Sequence[Reading], values: Sequence[Tensor]) -> list[Reading]:
    """The readings whose values were recorded."""
    errors = [run.recording.error(each) for each in values]
    pairs = zip(live, errors, strict=True)
    return [replace(each, error=max(each.error, error)) for each, error in pairs if error <= TOLERANCE]


def _few(run: Run, live: Sequence[Reading], deviations: int) -> list[Reading]:
    """Those with at most so many deviations more than the fewest; the first divisor is the reference's."""
    reference = next(iter(_divisors(run)))
    counted = [deviations_of(each.names) + (each.names["agreement"] != reference) for each in live]
    fewest = min(counted, default=0)
    return [each for each, count in zip(live, counted, strict=True) if count <= fewest + deviations]


def _returned(run: Run, live: Sequence[Reading]) -> list[Reading]:
    """Those that explain what is returned, if it is the capsules or any scores of them. The sums are capsules that were not squashed, always."""
    errors = {
        number: min(
            run.recording.output_error(each) for each in (reading.v, *(of(reading.v) for of in OUTPUTS.values()))
        )
        for number, reading in enumerate(live)
    }
    return [live[number] for number in fitting(errors)]


def replayed(run: Run, reading: Reading, names: Names) -> Tensor:
    """The class capsules of a reading's votes if the routing computed what these names say."""
    return squashes(run)[names["digit_caps.squash"]](next(_sums(run, reading.front.votes, names)))
