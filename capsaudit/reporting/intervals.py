"""Which totals round to which figure: each figure's interval as a band, and the totals in it and just outside of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

from capsaudit.render.document import separated
from capsaudit.render.tables import setting
from capsaudit.reporting.svg import INNER, MARGIN, WIDTH, Picture, diamond, disc, line, picture, rect, text
from capsaudit.results import Comparison, Excluded, Joint, StatedFigure

_NEAR = 0.02
"""Totals outside of an interval are shown up to this share of the figure away from it."""
_AT_MOST = 2
"""How many of them are shown below a figure, and how many above it."""
_LONGEST = 46
"""How many characters fit beside a total on one line."""
_ROW, _HEAD, _FOOT = 38, 38, 44
_LEAST = 3.0


class Mark(Struct, frozen=True):
    """A total, and the networks or interpretations that have it."""

    total: int
    names: tuple[str, ...]

    @property
    def label(self) -> str:
        """The names, as many as fit."""
        shown = self.names if len(", ".join(self.names)) <= _LONGEST else self.names[:1]
        more = len(self.names) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")


class Panel(Struct, frozen=True):
    """A figure with the totals that round to it and those that nearly do."""

    stated: StatedFigure
    inside: tuple[Mark, ...]
    outside: tuple[Mark, ...]

    @property
    def low(self) -> int:
        """The smallest total that rounds to the figure."""
        return self.stated.interval[0]

    @property
    def high(self) -> int:
        """The largest."""
        return self.stated.interval[1]

    @property
    def marks(self) -> tuple[Mark, ...]:
        """All of them, the smallest first."""
        return tuple(sorted((*self.inside, *self.outside), key=lambda mark: mark.total))


def intervals(comparison: Comparison, joint: Joint) -> Picture:
    """A panel for each figure that a shipped variant states."""
    shown = tuple(panels(comparison, joint))
    return picture(
        "figures.svg",
        "Which totals round to which figure",
        " ".join(map(_in_words, shown)),
        sum(map(_height, shown)) + MARGIN + 24,
        _drawn(shown),
    )


def panels(comparison: Comparison, joint: Joint) -> Iterator[Panel]:
    """A panel for each stated figure, from the totals of the variants and of the interpretations that the figure excludes."""
    totals: dict[int, tuple[str, ...]] = {}
    for counted in comparison.variants:
        totals[counted.trainable] = (*totals.get(counted.trainable, ()), counted.variant)
    for stated in comparison.figures:
        known = dict(totals)
        for knob, each in ((q.knob, each) for q in joint.questions for each in q.excluded):
            if each.stated == stated.stated and each.total not in totals:
                known[each.total] = (*known.get(each.total, ()), _interpretation(knob, each))
        low, high = stated.interval
        inside = tuple(Mark(total, names) for total, names in sorted(known.items()) if low <= total <= high)
        yield Panel(stated, inside, tuple(_near(low, high, known)))


def _interpretation(knob: str, excluded: Excluded) -> str:
    return f"{excluded.about}, {knob} {setting(excluded.value)}"


def _near(low: int, high: int, known: dict[int, tuple[str, ...]]) -> Iterator[Mark]:
    reach = (low + high) / 2 * _NEAR
    below = sorted((total for total in known if low - reach <= total < low), reverse=True)
    above = sorted(total for total in known if high < total <= high + reach)
    for total in (*below[:_AT_MOST], *above[:_AT_MOST]):
        yield Mark(total, known[total])


def _in_words(panel: Panel) -> str:
    inside = ", ".join(f"{mark.total:,} ({mark.label})" for mark in panel.inside) or "no total"
    near = ", ".join(f"{mark.total:,} ({mark.label})" for mark in panel.outside)
    outside = f"; nearest totals that do not: {near}" if near else ""
    return f"{panel.stated.stated}, {panel.low:,} to {panel.high:,}, agrees with {inside}{outside}."


def _drawn(shown: tuple[Panel, ...]) -> Iterator[str]:
    yield disc(MARGIN + 5, MARGIN + 6, "agreed")
    yield text(MARGIN + 16, MARGIN + 10, "rounds to the figure", "small")
    yield diamond(MARGIN + 155, MARGIN + 6, "missed")
    yield text(MARGIN + 166, MARGIN + 10, "does not", "small")
    yield rect(MARGIN + 240, MARGIN, 14, 12, "band")
    yield text(MARGIN + 260, MARGIN + 10, "all that round to it", "small")
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
    yield text(MARGIN, top + 16, separated(panel.stated.stated), "strong")
    yield text(WIDTH - MARGIN, top + 16, _interval(panel), "small", end=True)
    start, width = MARGIN + (panel.low - low) * scale, (panel.high + 1 - panel.low) * scale
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


def _interval(panel: Panel) -> str:
    return f"{panel.low:,} to {panel.high:,}" if panel.high > panel.low else "this number only"


def _window(panel: Panel) -> tuple[int, int]:
    """What the axis shows: the interval and every mark, with room at both ends."""
    ends = [panel.low, panel.high + 1, *(mark.total for mark in panel.marks)]
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
