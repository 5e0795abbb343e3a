"""reconcile --joint: what the figures of a source together decide about the questions that its text leaves open.

Each figure is about its own network, and all networks answer a question alike where all of them start from the same answer; where they
differ to begin with (the first kernel of two baselines) the question is asked of each by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import numpy as np
from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.catalogue.claims import ClaimsSource, joint_claims
from capsaudit.catalogue.spaces import Space
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of, total
from capsaudit.interpretations.axes import Axis, axes, size
from capsaudit.interpretations.tables import Array, Table, spread, tables
from capsaudit.knobs import KnobChange
from capsaudit.published import Figure, judge
from capsaudit.results import Excluded, Joint, JointFigure, Question
from capsaudit.spec import Data, Value

LARGEST_GRID = 20_000_000


class FigureOf(Struct, frozen=True):
    """A figure with the claim that states it and the network that it is about."""

    claim: str
    source: str
    figure: Figure
    variant: Variant


class Candidates(Struct, frozen=True):
    """A figure over all interpretations of its network: the total of each, and which of them agree with it and can exist."""

    stated: FigureOf
    axes: tuple[Axis, ...]
    totals: Array
    agree: Array


def joint_of_sources(sources: Sequence[ClaimsSource], spaces: Mapping[str, Space]) -> Joint:
    """What the figures of these sources together decide.

    Raises:
        CapsauditError: as `joint`.
    """
    stated = [FigureOf(claim.id, claim.source, figure, variant) for claim, figure, variant in joint_claims(sources)]
    return joint(stated, spaces)


def joint(figures: Sequence[FigureOf], spaces: Mapping[str, Space]) -> Joint:
    """The questions that the spaces leave open, as the figures answer them; one space for each family.

    Raises:
        CapsauditError: no figures, a space that does not fit, or too many interpretations.
    """
    if not figures:
        raise CapsauditError("no figures to reconcile: no claim is marked joint = true")
    candidates = [_candidates(each, spaces[family_of(each.variant.spec).name].open_questions()) for each in figures]
    questions: list[Question] = []
    satisfying = 1
    for family in dict.fromkeys(family_of(each.variant.spec).name for each in figures):
        answers = _Answers([each for each in candidates if family_of(each.stated.variant.spec).name == family])
        questions += answers.questions()
        satisfying *= answers.satisfying
    return Joint(
        sources=tuple(dict.fromkeys(each.source for each in figures)),
        claims=tuple(each.claim for each in figures),
        satisfied=bool(satisfying),
        figures=tuple(map(_figure, figures)),
        examined=sum(size(each.axes) for each in candidates),
        satisfying=satisfying,
        questions=tuple(questions),
    )


def _candidates(stated: FigureOf, space: Space) -> Candidates:
    found = axes(space, stated.variant)
    if size(found) > LARGEST_GRID:
        raise CapsauditError(
            f"{space.label} has {size(found):,} interpretations of {stated.variant.id}; at most {LARGEST_GRID:,}"
        )
    built = tables(stated.variant.spec, found)
    everything = range(len(found))
    totals = built.over(everything, built.parts, {})
    inside = (totals >= stated.figure.low) & (totals <= stated.figure.high)
    return Candidates(stated, found, totals, inside & spread(built.possible, everything, {}))


def _figure(each: FigureOf) -> JointFigure:
    count = total(each.variant.spec)
    return JointFigure(
        claim=each.claim,
        stated=each.figure.text,
        about=each.variant.id,
        total=count,
        verdict=judge(each.figure, count),
    )


class _Answers:
    """The figures of one family, over the product of all questions that any of their networks is asked."""

    def __init__(self, candidates: Sequence[Candidates]) -> None:
        self._candidates = candidates
        self._axes = _distinct(each.axes for each in candidates)
        if size(self._axes) > LARGEST_GRID:
            raise CapsauditError(
                f"the open questions have {size(self._axes):,} joint answers; at most {LARGEST_GRID:,}"
            )
        every = np.ones([len(axis) for axis in self._axes], dtype=bool)
        over = (self._over(each, each.agree) for each in candidates)
        self._all_agree: Array = reduce(np.logical_and, over, every)

    @property
    def satisfying(self) -> int:
        """How many answers satisfy all figures."""
        return int(self._all_agree.sum())

    def questions(self) -> list[Question]:
        """Each knob of each axis, with the values that are possible and those that are not."""
        return [self._question(place, knob) for place, axis in enumerate(self._axes) for knob in axis.knobs]

    def _question(self, place: int, knob: str) -> Question:
        axis = self._axes[place]
        assumed = next(change.before for option in axis.options for change in option if change.knob == knob)
        values: Data = {}
        for option in axis.options:
            values.setdefault(str(_set(option, knob, assumed)), _set(option, knob, assumed))
        others = tuple(i for i in range(len(self._axes)) if i != place)
        agreeing: Array = np.asarray(self._all_agree.any(axis=others))
        possible = {str(_set(option, knob, assumed)) for option, ok in zip(axis.options, agreeing, strict=True) if ok}
        return Question(
            knob=knob,
            about=tuple(each.stated.variant.id for each in self._candidates if axis in each.axes),
            assumed=assumed,
            allowed=tuple(value for name, value in values.items() if name in possible),
            excluded=tuple(self._excluded(axis, knob, value) for name, value in values.items() if name not in possible),
        )

    def _excluded(self, axis: Axis, knob: str, value: Value) -> Excluded:
        """Shown by the plainest option that has this value, everything else as in the variants."""
        options = [option for option in axis.options if any(c.knob == knob and c.after == value for c in option)]
        option = axis.options.index(min(options, key=len, default=axis.options[0]))
        against = [each for each in self._candidates if not each.agree[_at(each, axis, option)]]
        first = against[0] if against else self._candidates[0]
        reached = int(first.totals[_at(first, axis, option)])
        sources = [change.source for change in axis.options[option] if change.knob == knob and change.source]
        return Excluded(
            value=value,
            by=tuple(each.stated.claim for each in against),
            total=reached,
            stated=first.stated.figure.text,
            rounds_to=first.stated.figure.round(reached),
            about=first.stated.variant.id,
            source="; ".join(sources) or "the variants",
        )

    def _over(self, candidates: Candidates, values: Array) -> Array:
        """An array over a network's own questions, laid out over all of them."""
        on = tuple(self._axes.index(axis) for axis in candidates.axes)
        return spread(Table("", on, values), range(len(self._axes)), {})


def _distinct(groups: Iterable[Sequence[Axis]]) -> tuple[Axis, ...]:
    """Every axis once. Axes contain lists, so they cannot be hashed."""
    found: list[Axis] = []
    for group in groups:
        found += [axis for axis in group if axis not in found]
    return tuple(found)


def _set(option: Sequence[KnobChange], knob: str, assumed: Value) -> Value:
    """The value that an option gives a knob."""
    return next((change.after for change in option if change.knob == knob), assumed)


def _at(candidates: Candidates, axis: Axis, option: int) -> tuple[int, ...]:
    """The place where one axis has this option and all others are as in the variant; the variant itself without that axis."""
    return tuple(option if each == axis else 0 for each in candidates.axes)
