"""From the image to the votes û: which activation, which cut into capsules and which squash give the capsules that the model's votes are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import permutations
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from capsaudit.parity.capsnet.stages import (
    AGREEMENTS,
    LAYOUTS,
    NONE_ABOVE,
    SOFTMAXES,
    SQUASHES,
    USUAL_SQUASHES,
    squash,
    votes,
)
from capsaudit.parity.decoder import ACTIVATIONS
from capsaudit.parity.prepare import Run, Sizes, convolved
from capsaudit.parity.record import TOLERANCE, fitting

Names = dict[str, str]
"""What is computed, by stage."""

VOTES = "û = W u"

ANY = 99
"""More deviations than there are stages."""

PLACES = tuple(LAYOUTS)[:2]
"""The layouts that are the paper's, but for the order of channels."""

_PAPER = {
    "conv1": tuple(ACTIVATIONS)[:1],
    "primary_caps.layout": PLACES,
    "primary_caps.squash": tuple(SQUASHES)[:1],
    "softmax": (*tuple(SOFTMAXES)[:1], NONE_ABOVE),
    "agreement": tuple(AGREEMENTS)[:1],
    "digit_caps.squash": tuple(SQUASHES)[:1],
}
"""What of each stage is no deviation, whatever the variant."""


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


def fronts(run: Run, allowed: Sequence[Names] | None, deviations: int) -> list[Front]:
    """Every reading that fits: of capsules whose origin is known or, if no votes of them were recorded, of all that could be capsules. Where
    no capsules were recorded, all readings of at most so many deviations.

    `allowed`: what fitted at other gains.
    """
    origins = _origins(run, allowed) or list(_guesses(run, allowed, deviations))
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


def reference_error(run: Run, front: Front, stage: str, reference: str) -> float:
    """The relative error of the capsules of a reading if this stage were as in the reference."""
    names = front.names | {stage: reference}
    made = next(capsules for _, capsules in _cuts(run, channels_of(run, names["conv1"]), [names]))
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
                    yield matrices.repeat(times, 1, 1, 1)
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


def _origins(run: Run, allowed: Sequence[Names] | None) -> list[Origin]:
    """The recorded capsules with their origin: by the first activation of conv1 that explains any of them."""
    capsules = [(each, _hash(each)) for each in _capsules(run)]
    wanted = [name for name in ACTIVATIONS if may({"conv1": name}, allowed)]
    for activation in wanted:
        channels = channels_of(run, activation)
        cuts = [(names, _hash(made)) for names, made in _cuts(run, channels, allowed)]
        found = [_origin(each, goal, cuts, {"conv1": activation}) for each, goal in capsules]
        if any(origin.names for origin in found):
            return found
        if (error := run.recording.error(channels)) <= TOLERANCE:
            return [Origin({"conv1": activation}, {"conv1": error}, each) for each, _ in capsules]
    return [Origin({}, {}, each) for each, _ in capsules]


def _guesses(run: Run, allowed: Sequence[Names] | None, deviations: int) -> Iterator[Origin]:
    """What the capsules may be where none were recorded."""
    for activation in ACTIVATIONS:
        before = {"conv1": activation}
        if may(before, allowed) and deviations_of(before) <= deviations:
            channels = channels_of(run, activation)
            for names, made in _cuts(run, channels, allowed, deviations - deviations_of(before)):
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


def deviations_of(names: Names) -> int:
    """How many stages are not as the paper has them."""
    return sum(name not in _PAPER[stage] for stage, name in names.items() if stage in _PAPER)


def channels_of(run: Run, activation: str) -> Tensor:
    """What the convolution of the primary capsules gives of the image."""
    features = ACTIVATIONS[activation](convolved(run.images, run.weights["conv1"], run.spec.conv1))
    return convolved(features, run.weights["primary_caps"], run.spec.primary_caps.convolution)


def _cuts(
    run: Run, channels: Tensor, allowed: Sequence[Names] | None, deviations: int = ANY
) -> Iterator[tuple[Names, Tensor]]:
    """Capsules [batch, capsule, dimension] by layout and by what the squash is, and is over."""
    numbers = torch.arange(channels[0].numel()).reshape(channels.shape[1:])
    indices = {name: cut(numbers, run.sizes.dimension_in) for name, cut in LAYOUTS.items()}
    for layout, index in indices.items():
        for how, made in _squashes(run, channels.flatten(1), layout, indices):
            names = {"primary_caps.layout": layout, "primary_caps.squash": how}
            if may(names, allowed) and deviations_of(names) <= deviations:
                yield names, made()[:, index]


def _squashes(
    run: Run, values: Tensor, layout: str, indices: Mapping[str, Tensor]
) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Squashes of the channels [batch, value], computed when they are asked for: each over the capsules' own values, the usual also over others."""
    types = run.spec.primary_caps.types
    formulas = SQUASHES | {f"eq. 1 of s/{types}": lambda s, axis: squash(s / types, axis)}
    for name, formula in formulas.items():
        yield name, partial(_squashed, values, indices[layout], formula, -1)
    for name in USUAL_SQUASHES:
        yield (
            f"{name}, over the {run.sizes.capsules} capsules",
            partial(_squashed, values, indices[layout], SQUASHES[name], 1),
        )
        yield (
            f"{name}, element by element",
            partial(_squashed, values, indices[layout].reshape(-1, 1), SQUASHES[name], -1),
        )
        for other in indices:
            if other != layout:
                yield f"{name}, over {other}", partial(_squashed, values, indices[other], SQUASHES[name], -1)


def _squashed(values: Tensor, index: Tensor, formula: Callable[[Tensor, int], Tensor], axis: int) -> Tensor:
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
