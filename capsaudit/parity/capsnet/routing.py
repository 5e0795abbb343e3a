"""From the votes û to the class capsules: all readings of the routing at once, of which only those stay that the recorded values allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from capsaudit.parity.capsnet.front import VOTES, Front, Names, may
from capsaudit.parity.capsnet.stages import (
    AGREEMENTS,
    OUTPUTS,
    SOFTMAXES,
    SQUASHES,
    USUAL_SQUASHES,
    agreement,
    weighted_sum,
)
from capsaudit.parity.prepare import Run
from capsaudit.parity.record import TOLERANCE

_MOST_UNSEEN = 24
"""How many readings go on where none of their values was recorded, those with the fewest deviations first."""

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
    found: dict[str, Callable[[Tensor], Tensor]] = {}
    for name, function in SQUASHES.items():
        found[name] = lambda s, function=function: function(s, -1)  # type: ignore[misc]
    for name in USUAL_SQUASHES:
        found[f"{name}, over the {classes} classes"] = lambda s, f=SQUASHES[name]: f(s, 1)  # type: ignore[misc]
        found[f"{name}, element by element"] = lambda s, f=SQUASHES[name]: f(s.unsqueeze(-1), -1).squeeze(-1)  # type: ignore[misc]
    return found


def readings(run: Run, found: Sequence[Front], allowed: Sequence[Names] | None) -> tuple[list[Reading], list[Reading]]:
    """The readings whose sums s and capsules v are those that were recorded, to the last iteration of which anything was; and those of
    which only the sums of the first iteration were, where there is none.

    Where the model makes none of these values, only what it returns decides. `allowed`: what fitted at other gains.
    """
    live, sums_seen = _keep(run, [each for front in found for each in _first(run, front, allowed)], "s")
    started = live if sums_seen else []
    live, capsules_seen = _keep(run, [each for reading in live for each in _squashed(run, reading, allowed)], "v")
    ends = _ended(run, live, 1, seen=capsules_seen)
    for number in range(2, run.spec.digit_caps.iterations + MORE_ITERATIONS + 1):
        live, has_sums = _keep(run, [each for reading in live for each in _next(run, reading, allowed)], "s")
        live, has_capsules = _keep(run, [_with_capsules(run, each) for each in live], "v")
        if (sums_seen, capsules_seen) != (has_sums, has_capsules):
            break
        ended = _ended(run, live, number, seen=capsules_seen)
        ends = ended if capsules_seen else [*ends, *ended]
    return _decided(run, ends), started


def _ended(run: Run, live: Sequence[Reading], number: int, *, seen: bool) -> list[Reading]:
    """These readings as they would be if this iteration were the last. Of capsules that were not recorded, those that are returned."""
    ended = [replace(each, names=each.names | {"iterations": str(number)}) for each in live]
    return ended if seen else [each for each in ended if _is_returned(run, each)]


def _decided(run: Run, ends: list[Reading]) -> list[Reading]:
    """Those that explain what is returned, if any does. The sums are capsules that were not squashed, always: that they are there shows
    nothing before the next iteration.
    """
    likely = [
        each for each in ends if each.names["digit_caps.squash"] != "no squash" or each.names["iterations"] != "1"
    ]
    return [each for each in ends if _is_returned(run, each)] or likely


def _is_returned(run: Run, reading: Reading) -> bool:
    known = (reading.v, *(of(reading.v) for of in OUTPUTS.values()))
    return any(run.recording.output_error(each) <= TOLERANCE for each in known)


def _keep(run: Run, live: Sequence[Reading], what: str) -> tuple[list[Reading], bool]:
    """The readings whose values were recorded, and True; or all, and False."""
    errors = [run.recording.error(getattr(each, what)) for each in live]
    kept = [
        replace(each, error=max(each.error, error))
        for each, error in zip(live, errors, strict=True)
        if error <= TOLERANCE
    ]
    return (kept, True) if kept else (sorted(live, key=_deviations)[:_MOST_UNSEEN], False)


def _deviations(reading: Reading) -> int:
    """How many stages are not as the paper has them. Of an unsquashed primary capsule, one."""
    first = {next(iter(table)) for table in (SOFTMAXES, SQUASHES, AGREEMENTS)}
    stages = ("primary_caps.squash", "softmax", "agreement", "digit_caps.squash")
    return sum(reading.names.get(stage, "") not in first for stage in stages if stage in reading.names)


def _first(run: Run, front: Front, allowed: Sequence[Names] | None) -> Iterator[Reading]:
    """The readings of the first iteration, up to the sums."""
    shape = front.votes.shape[:3]
    for logits_name, logits in _logits(run):
        for name, softmax in SOFTMAXES.items():
            names = front.names | {"votes": VOTES, "softmax": name} | logits_name
            if may(names, allowed):
                started = logits.expand(shape)
                coupling = _coupling(run)
                s = weighted_sum(softmax(started) if coupling is None else coupling.expand(shape), front.votes)
                yield from (Reading(names | more, front, started, s + bias, s) for more, bias in _biases(run))


def _logits(run: Run) -> Iterator[tuple[Names, Tensor]]:
    """Zero, or the stored ones where the variant has them."""
    digit, (capsules, _, classes, _) = run.spec.digit_caps, run.sizes
    if digit.logits == "zero":
        yield {}, torch.zeros(1, capsules, classes, dtype=torch.float64)
        return
    stored = run.weights["digit_caps"][1 + digit.bias].squeeze()
    read = stored.T if stored.dim() == 2 and stored.shape != (capsules, classes) else stored.reshape(capsules, classes)
    yield {"logits": "stored"}, read.unsqueeze(0)
    yield {"logits": "zero"}, torch.zeros_like(read).unsqueeze(0)


def _coupling(run: Run) -> Tensor | None:
    """Stored coefficients of the first iteration, where the variant has them."""
    digit = run.spec.digit_caps
    if digit.coupling != "trainable":
        return None
    return run.weights["digit_caps"][-1].reshape(1, run.sizes.capsules, run.sizes.classes)


def _biases(run: Run) -> Iterator[tuple[Names, Tensor]]:
    zero = torch.zeros(run.sizes.classes, run.sizes.dimension, dtype=torch.float64)
    if not run.spec.digit_caps.bias:
        yield {}, zero
        return
    yield {"bias": "added to s"}, run.weights["digit_caps"][1].reshape(zero.shape)
    yield {"bias": "not used"}, zero


def _bias(run: Run, names: Names) -> Tensor:
    return next(bias for name, bias in _biases(run) if name.items() <= names.items())


def _squashed(run: Run, reading: Reading, allowed: Sequence[Names] | None) -> Iterator[Reading]:
    for name in class_squashes(run.sizes.classes):
        names = reading.names | {"digit_caps.squash": name}
        if may(names, allowed):
            yield _with_capsules(run, replace(reading, names=names))


def _with_capsules(run: Run, reading: Reading) -> Reading:
    return replace(reading, v=class_squashes(run.sizes.classes)[reading.names["digit_caps.squash"]](reading.s))


def _next(run: Run, reading: Reading, allowed: Sequence[Names] | None) -> Iterator[Reading]:
    """One more iteration, with each agreement if none has been chosen yet."""
    chosen = reading.names.get("agreement")
    agreed = agreement(reading.front.votes, reading.v)
    for name, update in AGREEMENTS.items():
        names = reading.names | {"agreement": name}
        if chosen in (None, name) and may(names, allowed):
            logits = update(reading.logits, agreed).expand(agreed.shape)
            s = weighted_sum(SOFTMAXES[names["softmax"]](logits), reading.front.votes) + _bias(run, names)
            yield replace(reading, names=names, logits=logits, s=s)


def replayed(run: Run, front: Front, names: Names) -> Tensor:
    """The class capsules of one reading."""
    live = next(each for each in _first(run, front, [names]))
    live = next(_squashed(run, live, [names]))
    for _ in range(int(names["iterations"]) - 1):
        following = next(_next(run, live, [{"agreement": next(iter(AGREEMENTS))} | names]))
        live = _with_capsules(run, following)
    return live.v
