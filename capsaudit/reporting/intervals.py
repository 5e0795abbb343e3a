"""Which totals round to which figure: each figure's interval as a band, and the totals in it and just outside of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

from capsaudit.published import Figure, parse_figure
from capsaudit.render.tables import setting
from capsaudit.reporting.svg import INNER, MARGIN, WIDTH, Picture, diamond, disc, line, picture, rect, text
from capsaudit.results import Comparison, Excluded, Joint

_ROW, _HEAD, _FOOT = 38, 38, 44
_LEAST = 3.0


def intervals(comparison: Comparison, joint: Joint) -> Picture:
    """A panel for each figure that a shipped variant states."""
    shown = tuple(panels(comparison, joint))
    return picture(
        "figures.svg",
        "Which totals print as which figure",
        " ".join(map(_in_words, shown)),
        sum(map(_height, shown)) + MARGIN + 24,
        _drawn(shown),
    )


def _in_words(panel: Panel) -> str:
    inside = ", ".join(f"{mark.total:,} ({mark.label})" for mark in panel.inside) or "no total"
    near = ", ".join(f"{mark.total:,} ({mark.label})" for mark in panel.outside)
    missed = f"; not by {near}" if near else ""
    return f"{panel.figure.text}, {panel.figure.low:,} to {panel.figure.high:,}: printed by {inside}{missed}."


def _drawn(shown: tuple[Panel, ...]) -> Iterator[str]:
    yield disc(MARGIN + 5, MARGIN + 6, "agreed")
    yield text(MARGIN + 16, MARGIN + 10, "prints as the figure", "small")
    yield diamond(MARGIN + 155, MARGIN + 6, "missed")
    yield text(MARGIN + 166, MARGIN + 10, "does not", "small")
    yield rect(MARGIN + 240, MARGIN, 14, 12, "band")
    yield text(MARGIN + 260, MARGIN + 10, "all that print as it", "small")
    top = MARGIN + 24
    for panel in shown:
        yield from _panel(panel, top)
        top += _height(panel)


def _height(panel: Panel) -> int:
    return _HEAD + _ROW * len(panel.marks) + _FOOT


def _panel(panel: Panel, top: float) -> Iterator[str]:
    low, high = _window(panel)
    scale = INNER / (high - low)
    axis = top + _HEAD + _ROW * len(panel.marks)
    yield text(MARGIN, top + 16, _as_printed(panel.figure), "strong")
    yield text(WIDTH - MARGIN, top + 16, _interval(panel.figure), "small", end=True)
    start, width = MARGIN + (panel.figure.low - low) * scale, (panel.figure.high + 1 - panel.figure.low) * scale
    for place, mark in enumerate(panel.marks):
        strip = top + _HEAD + place * _ROW + 18
        yield rect(start, strip - 7, max(width, _LEAST), 14, "band")
        yield from _mark(mark, mark in panel.inside, strip, MARGIN + (mark.total - low) * scale)
    yield from _axis(low, high, axis, scale)


def _mark(mark: Mark, inside: bool, strip: float, x: float) -> Iterator[str]:
    yield text(MARGIN, strip - 13, mark.label, "small")
    yield text(WIDTH - MARGIN, strip - 13, f"{mark.total:,}", "small", end=True)
    yield line(MARGIN, strip, WIDTH - MARGIN, strip, "dashed")
    yield disc(x, strip, "agreed") if inside else diamond(x, strip, "missed")


def _as_printed(figure: Figure) -> str:
    """As stated; a whole number with its separators."""
    return figure.text if figure.unit > 1 else f"{figure.digits:,}"


def _interval(figure: Figure) -> str:
    return f"{figure.low:,} to {figure.high:,}" if figure.high > figure.low else "this number alone"


def _window(panel: Panel) -> tuple[int, int]:
    """What the axis shows: the interval and every mark, with room at both ends."""
    ends = [panel.figure.low, panel.figure.high + 1, *(mark.total for mark in panel.marks)]
    room = max((max(ends) - min(ends)) // 8, 10)
    return min(ends) - room, max(ends) + room


def _axis(low: int, high: int, y: float, scale: float) -> Iterator[str]:
    """Three to six marks, at round numbers of millions."""
    yield line(MARGIN, y, WIDTH - MARGIN, y)
    step = _round_step((high - low) / 4)
    decimals = max(0, 7 - len(str(step)))
    for count in range(-(-low // step) * step, high + 1, step):
        x = MARGIN + (count - low) * scale
        yield line(x, y, x, y + 4)
        if MARGIN + 24 < x < WIDTH - MARGIN - 24:
            yield text(x, y + 17, f"{count / 1e6:.{decimals}f}M", "small", middle=True)


def _round_step(about: float) -> int:
    """One, two or five times a power of ten, near a number.

    >>> _round_step(87_000), _round_step(2_100)
    (100000, 2000)
    """
    power: int = 10 ** max(int(math.log10(max(about, 1))), 0)
    return min((power, 2 * power, 5 * power, 10 * power), key=lambda step: abs(step - about))


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
