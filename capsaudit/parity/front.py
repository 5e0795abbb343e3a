"""From the image to the votes û: which activation, which cut into capsules and which squash give the capsules that the model's votes are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import permutations
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from capsaudit.parity.equations import LAYOUTS, VOTES, Squash, votes
from capsaudit.parity.prepare import Run, Sizes
from capsaudit.parity.record import TOLERANCE, fitting

Names = dict[str, str]
"""What is computed, by stage."""

ANY = 99
"""More deviations than there are stages."""


class Primary(NamedTuple):
    """How the primary capsules of a family may come of the images.

    `convolutions`: what the convolutions before the primary capsules' own may compute; `channels`: what that one gives [batch, channel, height,
    width], by a name of those. `usual`: the squashes that are also tried over a wrong axis. `deviations`: of names, how many are not as in the
    reference.
    """

    convolutions: Sequence[str]
    channels: Callable[[str], Tensor]
    squashes: Mapping[str, Squash]
    usual: Sequence[str]
    deviations: Callable[[Names], int]


class Origin(NamedTuple):
    """How capsules [batch, capsule, dimension] come of the image; without names where nothing that is known explains them."""

    names: Names
    errors: dict[str, float]
    capsules: Tensor


class Front(NamedTuple):
    """One reading of the stages up to the votes [batch, capsule, class, dimension], and the relative error of each stage that it names."""

    names: Names
    capsules: Tensor
    votes: Tensor
    errors: dict[str, float]


def fronts(run: Run, primary: Primary, allowed: Sequence[Names] | None, deviations: int) -> list[Front]:
    """Every reading that fits: of capsules whose origin is known or, if no votes of them were recorded, of all that could be capsules. Where
    no capsules were recorded, all readings of at most so many deviations.

    `allowed`: what fitted at other gains.
    """
    origins = _origins(run, primary, allowed) or list(_guesses(run, primary, allowed, deviations))
    known = [each for each in origins if each.names]
    predicted = _voted(run, known)
    seen = _seen(run, predicted)
    if not seen and (
        any(True for _ in run.recording.shaped(run.recording.batch * prod(run.sizes) // run.sizes.dimension_in))
    ):
        seen = _seen(run, _voted(run, [each for each in origins if not each.names]))
    return seen or predicted


def _voted(run: Run, origins: Sequence[Origin]) -> list[Front]:
    """The votes of capsules, for each way to read W."""
    readings = list(matrices_of(run.weights["digit_caps"][0], run.sizes))
    return [
        Front(each.names, each.capsules, votes(each.capsules, w), each.errors) for each in origins for w in readings
    ]


def _seen(run: Run, predicted: Sequence[Front]) -> list[Front]:
    """Those whose votes were recorded."""
    errors = {number: run.recording.error(front.votes) for number, front in enumerate(predicted)}
    return [
        front._replace(names=front.names | {"votes": VOTES}, errors=front.errors | {"votes": errors[number]})
        for number, front in enumerate(predicted)
        if number in fitting(errors)
    ]


def reference_error(run: Run, primary: Primary, front: Front, stage: str, reference: str) -> float:
    """The relative error of the capsules of a reading if this stage were as in the reference.

    A squash over the values that the reference has in a capsule is over the capsules' own, if those are the reference's.
    """
    over = front.names["primary_caps.squash"].removesuffix(f", over {reference}")
    names = front.names | {"primary_caps.squash": over, stage: reference}
    made = next(capsules for _, capsules in _cuts(run, primary, primary.channels(names["conv1"]), [names]))
    return _relative(_hash(made), _hash(front.capsules))


def _capsules(run: Run) -> list[Tensor]:
    """Recorded tensors as capsules [batch, capsule, dimension], in every way in which their axes can be read."""
    count, dimension = run.sizes.capsules, run.sizes.dimension_in
    batch = run.recording.batch
    distinct: list[Tensor] = []
    for tensor in run.recording.shaped(batch * count * dimension):
        axes = range(tensor.dim())
        for first, last in permutations(axes, 2):
            if (tensor.shape[first], tensor.shape[last]) == (batch, dimension):
                read = tensor.movedim((first, last), (0, -1)).reshape(batch, count, dimension)
                if not any(torch.equal(read, other) for other in distinct):
                    distinct.append(read)
    return distinct


def matrices_of(weight: Tensor, sizes: Sizes) -> Iterator[Tensor]:
    """W as [capsule, class, dimension in, dimension out], in every way in which its axes can be read; shared matrices are repeated.

    >>> [tuple(w.shape) for w in matrices_of(torch.zeros(1, 6, 2, 12), Sizes(6, 2, 3, 4))]
    [(6, 3, 2, 4), (6, 3, 2, 4)]
    """
    wanted = (sizes.classes, sizes.dimension_in, sizes.dimension)
    for w in _split(weight.squeeze(), sizes):
        for chosen in permutations(range(w.dim()), 3):
            if tuple(w.shape[axis] for axis in chosen) == wanted:
                matrices = w.movedim(chosen, (-3, -2, -1)).reshape(-1, *wanted)
                times, rest = divmod(sizes.capsules, len(matrices))
                if not rest:
                    yield matrices if times == 1 else matrices.repeat(times, 1, 1, 1)
                if not rest and times > 1 and len(matrices) > 1:
                    yield matrices.repeat_interleave(times, 0)


def _split(w: Tensor, sizes: Sizes) -> Iterator[Tensor]:
    """W itself, and where it has three axes each way to split one of them into two of the sizes."""
    yield w
    if w.dim() == 3:
        for axis, size in enumerate(w.shape):
            for pair in dict.fromkeys(permutations(sizes, 2)):
                if pair[0] * pair[1] == size and 1 not in pair:
                    yield w.unflatten(axis, pair)


def _origins(run: Run, primary: Primary, allowed: Sequence[Names] | None) -> list[Origin]:
    """The recorded capsules with their origin: by the first reading of the convolutions that explains any of them."""
    capsules = [(each, _hash(each)) for each in _capsules(run)]
    wanted = [{"conv1": name} for name in primary.convolutions if may({"conv1": name}, allowed)]
    for before in wanted if capsules else ():
        channels = primary.channels(before["conv1"])
        cuts = [(names, _hash(made)) for names, made in _cuts(run, primary, channels, allowed)]
        found = [_origin(each, goal, cuts, before) for each, goal in capsules]
        if any(origin.names for origin in found):
            return found
        if (error := run.recording.error(channels)) <= TOLERANCE:
            return [Origin(before, {"conv1": error}, each) for each, _ in capsules]
    return [Origin({}, {}, each) for each, _ in capsules]


def _guesses(run: Run, primary: Primary, allowed: Sequence[Names] | None, deviations: int) -> Iterator[Origin]:
    """What the capsules may be where none were recorded."""
    for name in primary.convolutions:
        before = {"conv1": name}
        if may(before, allowed) and primary.deviations(before) <= deviations:
            channels = primary.channels(name)
            for names, made in _cuts(run, primary, channels, allowed, deviations - primary.deviations(before)):
                yield Origin(before | names, {}, made)


def _origin(capsules: Tensor, goal: Tensor, cuts: Sequence[tuple[Names, Tensor]], before: Names) -> Origin:
    """The layout and squash that give capsules with this hash."""
    errors = {number: _relative(made, goal) for number, (_, made) in enumerate(cuts)}
    best = min(errors, key=lambda number: errors[number])
    if errors[best] > TOLERANCE:
        return Origin({}, {}, capsules)
    names = before | cuts[best][0]
    return Origin(names, dict.fromkeys(names, errors[best]), capsules)


def may(names: Names, allowed: Sequence[Names] | None) -> bool:
    """Whether some reading of other gains says nothing else."""
    return allowed is None or any(
        all(each.get(key, value) == value for key, value in names.items()) for each in allowed
    )


def _cuts(
    run: Run, primary: Primary, channels: Tensor, allowed: Sequence[Names] | None, deviations: int = ANY
) -> Iterator[tuple[Names, Tensor]]:
    """Capsules [batch, capsule, dimension] by layout and by what the squash is, and is over."""
    indices = _indices(channels, run.sizes.dimension_in)
    for layout, index in indices.items():
        for how, made in _squashes(run, primary, channels.flatten(1), layout, indices):
            names = {"primary_caps.layout": layout, "primary_caps.squash": how}
            if may(names, allowed) and primary.deviations(names) <= deviations:
                yield names, made()[:, index]


def _indices(channels: Tensor, dimension: int) -> dict[str, Tensor]:
    """Which values are in which capsule, by layout. Of layouts that are the same, as on a grid of one place, the first."""
    numbers = torch.arange(channels[0].numel()).reshape(channels.shape[1:])
    found: dict[str, Tensor] = {}
    for name, cut in LAYOUTS.items():
        index = cut(numbers, dimension)
        if not any(torch.equal(index, other) for other in found.values()):
            found[name] = index
    return found


def _squashes(
    run: Run, primary: Primary, values: Tensor, layout: str, indices: Mapping[str, Tensor]
) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Squashes of the channels [batch, value], computed when they are asked for: each over the capsules' own values, the usual also over others."""
    own = indices[layout]
    for name, formula in primary.squashes.items():
        yield name, partial(_squashed, values, own, formula, -1)
    for name in primary.usual:
        formula = primary.squashes[name]
        yield f"{name}, over the {run.sizes.capsules} capsules", partial(_squashed, values, own, formula, 1)
        yield f"{name}, element by element", partial(_squashed, values, own.reshape(-1, 1), formula, -1)
        for other in indices:
            if other != layout:
                yield f"{name}, over {other}", partial(_squashed, values, indices[other], formula, -1)


def _squashed(values: Tensor, index: Tensor, formula: Squash, axis: int) -> Tensor:
    """The values with those at `index` [capsule, dimension] squashed over an axis of [batch, capsule, dimension]."""
    made = torch.empty_like(values)
    made[:, index.flatten()] = formula(values[:, index], axis).flatten(1)
    return made


def _hash(capsules: Tensor) -> Tensor:
    """A number for each capsule that the order of its values does not change, sorted by image."""
    squares = capsules * capsules
    return (capsules + squares + squares * capsules).sum(-1).sort(1).values


def _relative(one: Tensor, goal: Tensor) -> float:
    return ((one - goal).abs().max() / goal.square().mean().sqrt()).item()
