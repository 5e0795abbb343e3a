"""From the votes û to the class capsules: all readings of the routing at once, of which only those stay that the recorded values allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from capsaudit.parity.capsnet.stages import (
    AGREEMENTS,
    OF_SUMS,
    SOFTMAXES,
    SQUASHES,
    USUAL_SQUASHES,
    Iteration,
    deviations_of,
)
from capsaudit.parity.decoder import given_to
from capsaudit.parity.equations import ONE_HOT, OUTPUTS, VOTES, squashes_of, weighted_sum
from capsaudit.parity.front import Front, Names, may
from capsaudit.parity.prepare import Run
from capsaudit.parity.record import TOLERANCE, fitting

MORE_ITERATIONS = 3
"""How many iterations more than the reference's are tried."""


@dataclass(frozen=True)
class Reading:
    """A routing in progress: what it computes by stage, and its values."""

    names: Names
    front: Front
    logits: Tensor
    s: Tensor
    v: Tensor
    error: float = 0.0


def class_squashes(classes: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Squashes of the class capsules [batch, class, dimension]."""
    return squashes_of(classes, SQUASHES, USUAL_SQUASHES)


def readings(
    run: Run, found: Sequence[Front], allowed: Sequence[Names] | None, deviations: int
) -> tuple[list[Reading], list[Reading]]:
    """The readings whose sums s and capsules v are those that were recorded, to the last iteration of which anything was; and those of
    which only the sums of the first iteration were, where there is none. Where only the first iteration was found, and what follows from its
    capsules was not, they name no number of iterations: what is unknown may be the agreement.

    Where the model makes none of these values, only what it returns decides: of the readings of at most so many deviations more than the
    fewest. `allowed`: what fitted at other gains.
    """
    live, sums_seen = _keep(run, [each for front in found for each in first_sums(run, front, allowed)], "s", deviations)
    started = live if sums_seen else []
    live, capsules_seen = _keep(
        run, [each for reading in live for each in _squashed(run, reading, allowed)], "v", deviations
    )
    ends = _ended(live, 1)
    if allowed is not None and not any("iterations" in names for names in allowed):
        return (live if capsules_seen else []), started
    for number in range(2, run.spec.digit_caps.iterations + MORE_ITERATIONS + 1):
        live, has_sums = _keep(
            run, [each for reading in live for each in next_sums(run, reading, allowed)], "s", deviations
        )
        live, has_capsules = _keep(run, [_with_capsules(run, each) for each in live], "v", deviations)
        if has_sums < sums_seen or has_capsules < capsules_seen:
            break
        sums_seen, capsules_seen = has_sums, has_capsules
        ends += _ended(live, number)
    return _decided(run, ends, seen=capsules_seen), started


def _ended(live: Sequence[Reading], number: int) -> list[Reading]:
    """These readings as they would be if this iteration were the last."""
    return [replace(each, names=each.names | {"iterations": str(number)}) for each in live]


def _decided(run: Run, ends: list[Reading], *, seen: bool) -> list[Reading]:
    """Those that explain what is returned; if none does, those whose capsules were recorded, of the last iteration. Before all others come
    those whose capsules a decoder is given. The sums are capsules that were not squashed, always: that they are there shows nothing
    before the next iteration.
    """
    sums = {"digit_caps.squash": "no squash", "iterations": "1"}
    bare: list[Reading] = []
    likely: list[Reading] = []
    for each in ends:
        (bare if sums.items() <= each.names.items() else likely).append(each)
    returned, last = _returned(run, likely), _last(likely) if seen else []
    recorded = likely if seen else []
    decoded = (found for each in (returned, last, recorded) if (found := _decoded(run, each)))
    found = next(decoded, returned or _of_first(last))
    equal = [each for each in bare if any(_is_equal(each.v, one.v) for one in found)]
    return [*equal, *found] or _returned(run, ends)


def _decoded(run: Run, found: Sequence[Reading]) -> list[Reading]:
    return [each for each in found if given_to(run, run.recording, each.v)]


def _of_first(last: Sequence[Reading]) -> list[Reading]:
    """The same, without a number of iterations where there is only one: nothing shows that it is the last."""
    return [
        each
        if "agreement" in each.names
        else replace(each, names={stage: name for stage, name in each.names.items() if stage != "iterations"})
        for each in last
    ]


def _returned(run: Run, ends: Sequence[Reading]) -> list[Reading]:
    fit = fitting({number: _output_error(run, each) for number, each in enumerate(ends)})
    return [ends[number] for number in fit]


def _last(ends: Sequence[Reading]) -> list[Reading]:
    """Those of the last iteration, and those that are equal to them: at large weights the routing may come to rest."""
    number = max((int(each.names["iterations"]) for each in ends), default=0)
    last = [each.v for each in ends if each.names["iterations"] == str(number)]
    return [each for each in ends if any(_is_equal(each.v, v) for v in last)]


def _is_equal(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= TOLERANCE * other.square().mean().sqrt())


def _output_error(run: Run, reading: Reading) -> float:
    """Of the class alone nothing follows: most readings have the same."""
    scores = (of(reading.v) for name, of in OUTPUTS.items() if name != ONE_HOT)
    return min(run.recording.output_error(each) for each in (reading.v, *scores))


def _keep(run: Run, live: Sequence[Reading], what: str, deviations: int) -> tuple[list[Reading], bool]:
    """The readings whose values were recorded, and True; or those with few deviations, and False."""
    errors = [run.recording.error(getattr(each, what)) for each in live]
    kept = [
        replace(each, error=max(each.error, error))
        for each, error in zip(live, errors, strict=True)
        if error <= _limit(each, what)
    ]
    if kept:
        return kept, True
    fewest = min((deviations_of(each.names) for each in live), default=0)
    return [each for each in live if deviations_of(each.names) <= fewest + deviations], False


def _limit(reading: Reading, what: str) -> float:
    """An ε shows in the first capsules. What follows has about the error of what was before it; at small weights the next iteration would have
    one of less than the tolerance even if there were none.
    """
    if what == "v" and "agreement" not in reading.names:
        return TOLERANCE
    return min(TOLERANCE, max(100 * reading.error, 1e-5))


def first_sums(run: Run, front: Front, allowed: Sequence[Names] | None) -> Iterator[Reading]:
    """The readings of the first iteration, up to the sums."""
    for before in _stored(run):
        for name, softmax in SOFTMAXES.items():
            names = front.names | {"votes": VOTES, "softmax": name} | before
            if may(names, allowed):
                logits, coupling, bias = started_with(run, names, front.votes.shape[:3])
                s = weighted_sum(softmax(logits) if coupling is None else coupling, front.votes)
                yield Reading(names, front, logits, s + bias, s, max(front.errors.values(), default=0.0))


def _stored(run: Run) -> Iterator[Names]:
    """Whether the stored logits and biases are used, where the variant has them."""
    digit = run.spec.digit_caps
    logits = ("zero",) if digit.logits == "zero" else ("stored", "zero")
    for name, bias in product(logits, ("added to s", "not used") if digit.bias else ("",)):
        yield {"logits": name} | ({"bias": bias} if bias else {})


def started_with(run: Run, names: Names, shape: torch.Size) -> tuple[Tensor, Tensor | None, Tensor]:
    """The logits b of the first iteration [batch, capsule, class], the stored coefficients c where the variant has them, and the bias."""
    digit, (capsules, _, classes, dimension) = run.spec.digit_caps, run.sizes
    stored = run.weights["digit_caps"]
    logits, bias = torch.zeros(capsules, classes, dtype=torch.float64), torch.zeros(classes, dimension).double()
    if names["logits"] == "stored":
        read = stored[1 + digit.bias].squeeze()
        logits = read.T if read.dim() == 2 and read.shape != (capsules, classes) else read.reshape(capsules, classes)
    if names.get("bias") == "added to s":
        bias = stored[1].reshape(bias.shape)
    coupling = stored[-1].reshape(1, capsules, classes).expand(shape) if digit.coupling == "trainable" else None
    return logits.expand(shape), coupling, bias


def _squashed(run: Run, reading: Reading, allowed: Sequence[Names] | None) -> Iterator[Reading]:
    for name in class_squashes(run.sizes.classes):
        names = reading.names | {"digit_caps.squash": name}
        if may(names, allowed):
            yield _with_capsules(run, replace(reading, names=names))


def _with_capsules(run: Run, reading: Reading) -> Reading:
    return replace(reading, v=class_squashes(run.sizes.classes)[reading.names["digit_caps.squash"]](reading.s))


def next_sums(run: Run, reading: Reading, allowed: Sequence[Names] | None) -> Iterator[Reading]:
    """One more iteration, with each agreement if none has been chosen yet. Capsules that are not squashed are the sums."""
    chosen, votes = reading.names.get("agreement"), reading.front.votes
    squashed = reading.names["digit_caps.squash"] != "no squash"
    for name, update in AGREEMENTS.items():
        names = reading.names | {"agreement": name}
        if chosen in (None, name) and may(names, allowed) and (squashed or name != OF_SUMS):
            logits = update(Iteration(reading.logits, votes, reading.s, reading.v)).expand(votes.shape[:3])
            bias = started_with(run, names, votes.shape[:3])[2]
            yield replace(
                reading, names=names, logits=logits, s=weighted_sum(SOFTMAXES[names["softmax"]](logits), votes) + bias
            )


class Through(NamedTuple):
    """What the gradient passes through before the last iteration: û in the sums, û in the agreement, v in the agreement."""

    sums: bool = True
    votes: bool = True
    capsules: bool = True


def replayed(
    run: Run, votes: Tensor, names: Names, logits: Tensor | None = None, through: Through | None = None
) -> tuple[Tensor, Tensor]:
    """The class capsules of one reading, and the logits of its last iteration. `logits`: those of the first, if they are others."""
    through = through or Through()
    started, coupling, bias = started_with(run, names, votes.shape[:3])
    logits = started if logits is None else logits
    squashed, softmax = class_squashes(run.sizes.classes)[names["digit_caps.squash"]], SOFTMAXES[names["softmax"]]
    update = AGREEMENTS[names.get("agreement", next(iter(AGREEMENTS)))]
    in_sum, in_agreement = _passing(votes, through.sums), _passing(votes, through.votes)
    for _ in range(int(names.get("iterations", 1)) - 1):
        s = weighted_sum(softmax(logits) if coupling is None else coupling, in_sum) + bias
        compared = (_passing(each, through.capsules) for each in (s, squashed(s)))
        logits, coupling = update(Iteration(logits, in_agreement, *compared)).expand(votes.shape[:3]), None
    return squashed(weighted_sum(softmax(logits) if coupling is None else coupling, votes) + bias), logits


def _passing(tensor: Tensor, passes: bool) -> Tensor:
    return tensor if passes else tensor.detach()
