"""reconcile --joint: what the figures of a source say together about the questions that its text leaves open.

Each figure is about its own network, and every network answers a question alike where all of them start from the same answer; where they
differ to begin with (the first kernel of two baselines) the question is asked of each by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
from msgspec import Struct

from capsaudit.arithmetic import total
from capsaudit.catalogue import Variant
from capsaudit.catalogue.claims import ClaimsSource, joint_claims
from capsaudit.catalogue.spaces import Space
from capsaudit.errors import CapsauditError
from capsaudit.interpretations.axes import Axis, axes, size
from capsaudit.interpretations.tables import Array, Table, spread, tables
from capsaudit.published import Figure, parse_figure
from capsaudit.results import Excluded, Joint, JointFigure, Question, Turned
from capsaudit.spec import family

LARGEST_GRID = 20_000_000


class Witnessed(Struct, frozen=True):
    """A figure with the network that it is about."""

    claim: str
    source: str
    figure: Figure
    variant: Variant


class Judged(Struct, frozen=True):
    """A figure over all readings of its network: what each comes to, and which of them print as it and can exist."""

    witnessed: Witnessed
    axes: tuple[Axis, ...]
    totals: Array
    holds: Array


def witnessed(claim: str, source: str, stated: str, variant: Variant) -> Witnessed:
    """A figure as a source prints it, about a variant."""
    return Witnessed(claim, source, parse_figure(stated), variant)


def sources_testimony(sources: Sequence[ClaimsSource], spaces: Mapping[str, Space]) -> Joint:
    """What the figures of these sources say together.

    Raises:
        CapsauditError: as `joint_testimony`.
    """
    claims = joint_claims(sources)
    return joint_testimony([witnessed(c.id, c.source, c.stated or "", variant) for c, variant in claims], spaces)


def joint_testimony(figures: Sequence[Witnessed], spaces: Mapping[str, Space]) -> Joint:
    """The questions that the spaces leave open, as the figures answer them; one space for each family.

    Raises:
        CapsauditError: no figures, a space that does not fit, or too many readings.
    """
    if not figures:
        raise CapsauditError("no figures to reconcile: no claim is marked joint = true")
    judged = [_judged(each, spaces[family(each.variant.spec)].open_questions()) for each in figures]
    questions: list[Question] = []
    satisfying = 1
    for kind in dict.fromkeys(family(each.variant.spec) for each in figures):
        asked = _Asked([each for each in judged if family(each.witnessed.variant.spec) == kind])
        questions += asked.questions()
        satisfying *= asked.satisfying
    return Joint(
        sources=tuple(dict.fromkeys(each.source for each in figures)),
        claims=tuple(each.claim for each in figures),
        satisfied=bool(satisfying),
        figures=tuple(map(_figure, figures)),
        examined=sum(size(each.axes) for each in judged),
        satisfying=satisfying,
        questions=tuple(questions),
    )


def _judged(each: Witnessed, space: Space) -> Judged:
    found = axes(space, each.variant)
    if size(found) > LARGEST_GRID:
        raise CapsauditError(
            f"{space.label} asks {size(found):,} readings of {each.variant.id}; at most {LARGEST_GRID:,}"
        )
    built = tables(each.variant.spec, found)
    everything = range(len(found))
    totals = built.over(everything, built.parts, {})
    inside = (totals >= each.figure.low) & (totals <= each.figure.high)
    return Judged(each, found, totals, inside & spread(built.possible, everything, {}))


def _figure(each: Witnessed) -> JointFigure:
    count = total(each.variant.spec)
    return JointFigure(
        claim=each.claim,
        stated=each.figure.text,
        about=each.variant.id,
        total=count,
        agrees=each.figure.agrees_with(count),
    )


class _Asked:
    """The figures of one family, over the product of all questions that any of their networks is asked."""

    def __init__(self, judged: Sequence[Judged]) -> None:
        self._judged = judged
        self._axes = _distinct(each.axes for each in judged)
        if size(self._axes) > LARGEST_GRID:
            raise CapsauditError(
                f"the open questions have {size(self._axes):,} joint answers; at most {LARGEST_GRID:,}"
            )
        every = np.ones([len(axis) for axis in self._axes], dtype=bool)
        self._all_hold: Array = reduce(np.logical_and, (self._over(each, each.holds) for each in judged), every)

    @property
    def satisfying(self) -> int:
        """How many answers satisfy all figures."""
        return int(self._all_hold.sum())

    def questions(self) -> list[Question]:
        """Each knob of each axis, with the values that can and those that cannot be."""
        return [self._question(place, knob) for place, axis in enumerate(self._axes) for knob in axis.knobs]

    def _question(self, place: int, knob: str) -> Question:
        axis = self._axes[place]
        assumed = next(turn.before for option in axis.options for turn in option if turn.knob == knob)
        values: dict[str, Any] = {}
        for option in axis.options:
            values.setdefault(str(_set(option, knob, assumed)), _set(option, knob, assumed))
        others = tuple(i for i in range(len(self._axes)) if i != place)
        held: Array = np.asarray(self._all_hold.any(axis=others))
        possible = {str(_set(option, knob, assumed)) for option, ok in zip(axis.options, held, strict=True) if ok}
        return Question(
            knob=knob,
            of=tuple(each.witnessed.variant.id for each in self._judged if axis in each.axes),
            assumed=assumed,
            allowed=tuple(value for name, value in values.items() if name in possible),
            excluded=tuple(self._excluded(axis, knob, value) for name, value in values.items() if name not in possible),
        )

    def _excluded(self, axis: Axis, knob: str, value: Any) -> Excluded:
        """Told by the plainest option that has this value, everything else as the variants say it."""
        options = [option for option in axis.options if any(t.knob == knob and t.after == value for t in option)]
        option = axis.options.index(min(options, key=len, default=axis.options[0]))
        against = [each for each in self._judged if not each.holds[_at(each, axis, option)]]
        first = against[0] if against else self._judged[0]
        reached = int(first.totals[_at(first, axis, option)])
        return Excluded(
            value=value,
            by=tuple(each.witnessed.claim for each in against),
            total=reached,
            stated=first.witnessed.figure.text,
            prints_as=first.witnessed.figure.prints(reached),
            about=first.witnessed.variant.id,
            source="; ".join(turn.source for turn in axis.options[option] if turn.knob == knob) or "the variants",
        )

    def _over(self, judged: Judged, values: Array) -> Array:
        """An array over a network's own questions, laid out over all of them."""
        on = tuple(self._axes.index(axis) for axis in judged.axes)
        return spread(Table("", on, values), range(len(self._axes)), {})


def _distinct(groups: Iterable[Sequence[Axis]]) -> tuple[Axis, ...]:
    """Every axis once. Axes hold lists, so they cannot be hashed."""
    found: list[Axis] = []
    for group in groups:
        found += [axis for axis in group if axis not in found]
    return tuple(found)


def _set(option: Sequence[Turned], knob: str, assumed: Any) -> Any:
    """The value that an option gives a knob."""
    return next((turn.after for turn in option if turn.knob == knob), assumed)


def _at(judged: Judged, axis: Axis, option: int) -> tuple[int, ...]:
    """The place where one axis has this option and all others are as the variant says; the variant itself without that axis."""
    return tuple(option if each == axis else 0 for each in judged.axes)
