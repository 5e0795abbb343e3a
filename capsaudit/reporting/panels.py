"""Which totals a printed figure takes in, and which it only just leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from capsaudit.figure import Figure, parse_figure
from capsaudit.render.documents import setting
from capsaudit.results import Comparison, Excluded, Joint

_NEAR = 0.02
"""A miss is near where it is at most so far from the figure, as a share of it."""
_AT_MOST = 2
"""How many near misses are shown below a figure, and how many above it."""
_LONGEST = 46
"""As many characters stand beside a total on one line."""


class Mark(Struct, frozen=True):
    """A total, and the networks or readings that come to it."""

    total: int
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """The names, as many as there is room for."""
        shown = self.names if len(", ".join(self.names)) <= _LONGEST else self.names[:1]
        more = len(self.names) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")


class Panel(Struct, frozen=True):
    """A figure with what prints as it and what nearly does."""

    figure: Figure
    about: str
    inside: tuple[Mark, ...]
    outside: tuple[Mark, ...]

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All of them, the smallest first."""
        return tuple(sorted((*self.inside, *self.outside), key=lambda mark: mark.total))


def panels(comparison: Comparison, joint: Joint) -> Iterator[Panel]:
    """A panel for each stated figure, from the totals of the variants and of the readings that the figure excludes."""
    totals: dict[int, tuple[str, ...]] = {}
    for counted in comparison.variants:
        totals[counted.trainable] = (*totals.get(counted.trainable, ()), counted.variant)
    for stated in comparison.figures:
        figure = parse_figure(stated.stated)
        known = dict(totals)
        for knob, each in ((q.knob, each) for q in joint.questions for each in q.excluded):
            if each.stated == stated.stated and each.total not in totals:
                known[each.total] = (*known.get(each.total, ()), _reading(knob, each))
        inside = tuple(Mark(total, names) for total, names in sorted(known.items()) if figure.agrees_with(total))
        yield Panel(figure, stated.about, inside, tuple(_near(figure, known)))


def _reading(knob: str, excluded: Excluded) -> str:
    return f"{excluded.about}, {knob} {setting(excluded.value)}"


def _near(figure: Figure, known: dict[int, tuple[str, ...]]) -> Iterator[Mark]:
    reach = figure.digits * figure.unit * _NEAR
    below = sorted((total for total in known if figure.low - reach <= total < figure.low), reverse=True)
    above = sorted(total for total in known if figure.high < total <= figure.high + reach)
    for total in (*below[:_AT_MOST], *above[:_AT_MOST]):
        yield Mark(total, known[total])
