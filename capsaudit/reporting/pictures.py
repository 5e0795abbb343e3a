"""The three pictures: from the article's count to 11.36M knob by knob, the layers of each network, and which totals round to which figure."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import number
from capsaudit.render.tables import setting
from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.intervals import intervals
from capsaudit.reporting.svg import INNER, MARGIN, PALETTE, WIDTH, Picture, line, picture, rect, text
from capsaudit.results import Comparison, Count, Ledger, Step

_ROW, _BAR = 46, 14
_LEAST = 3.0
"""The least width of a bar; the picture says how much wider than to scale its thinnest bar is."""


def pictures(audit: ReportContents) -> dict[str, Picture]:
    """The pictures by file, in the order in which they are shown."""
    drawn = (waterfall(audit.ledger), layers(audit.comparison), intervals(audit.comparison, audit.joint))
    return {each.file: each for each in drawn}


def waterfall(ledger: Ledger) -> Picture:
    """Totals start at zero; each step spans the totals before and after it."""
    end = ledger.start_total + ledger.difference
    height = _ROW * (len(ledger.steps) + 2) + 52
    described = [f"{ledger.start} {ledger.start_total:,}", *map(_step_in_words, ledger.steps), f"{ledger.end} {end:,}"]
    return picture(
        "waterfall.svg",
        f"From {ledger.start} to {ledger.end}, knob by knob",
        "; ".join(described) + ".",
        height,
        _waterfall(ledger, end, height),
    )


def _waterfall(ledger: Ledger, end: int, height: int) -> Iterator[str]:
    scale = INNER / max(ledger.start_total, end, *(step.total for step in ledger.steps), 1)
    yield from _total(ledger.start, ledger.start_total, MARGIN, scale)
    for place, step in enumerate(ledger.steps, start=1):
        top = MARGIN + place * _ROW
        yield _joint(step.total - step.difference, top, scale)
        yield from _step(step, top, scale)
    last = MARGIN + (len(ledger.steps) + 1) * _ROW
    yield _joint(end, last, scale)
    yield from _total(ledger.end, end, last, scale)
    yield from _axis(last + 40, scale)
    thin = min((abs(step.difference) * scale for step in ledger.steps if step.difference), default=_LEAST)
    if thin < _LEAST:
        yield text(
            MARGIN, height - 8, f"The thinnest bars are drawn {_LEAST / thin:.0f} times wider than to scale.", "small"
        )


def _total(name: str, count: int, top: float, scale: float) -> Iterator[str]:
    yield from _labels(name, f"{count:,}", top, "strong")
    yield rect(MARGIN, top + 20, count * scale, _BAR, "bar")


def _step(step: Step, top: float, scale: float) -> Iterator[str]:
    changed = f"{step.knob} {setting(step.before)} → {setting(step.after)}"
    yield from _labels(changed, number(step.difference, signed=True).text, top)
    low = min(step.total, step.total - step.difference)
    width = max(abs(step.difference) * scale, _LEAST)
    yield rect(MARGIN + low * scale, top + 20, width, _BAR, "up" if step.difference > 0 else "down")
    if len(step.layers) > 1:
        parts = ", ".join(f"{part.layer} {number(part.difference, signed=True).text}" for part in step.layers)
        yield text(MARGIN + low * scale - 6, top + 31, parts, "small", end=True)


def _joint(count: int, top: float, scale: float) -> str:
    """From the end of one bar to the beginning of the next, past the label between them."""
    x = MARGIN + count * scale
    return line(x, top - _ROW + 20 + _BAR, x, top + 20, "dashed")


def _labels(name: str, amount: str, top: float, look: str = "") -> Iterator[str]:
    yield text(MARGIN, top + 14, name, look)
    yield text(WIDTH - MARGIN, top + 14, amount, f"over {look}".strip(), end=True)


def _step_in_words(step: Step) -> str:
    return f"{step.knob} {setting(step.before)} → {setting(step.after)} {number(step.difference, signed=True).text}"


def _axis(y: float, scale: float) -> Iterator[str]:
    """Zero and every so many millions."""
    yield line(MARGIN, y, WIDTH - MARGIN, y)
    every = 2 if INNER / scale < 16e6 else 10
    for millions in range(0, int(INNER / scale / 1e6) + 1, every):
        x = MARGIN + millions * 1e6 * scale
        yield line(x, y, x, y + 4)
        yield text(x, y + 17, f"{millions}M" if millions else "0", "small", middle=bool(millions))


def layers(comparison: Comparison) -> Picture:
    """A bar for each variant, its layers one after another in the order in which data goes through them."""
    legend = _placed_names(comparison.layers)
    first = MARGIN + 20 * (legend[-1][2] + 1 if legend else 0) + 4
    height = first + 38 * len(comparison.variants) + 34
    described = "; ".join(f"{counted.variant} {counted.trainable:,}" for counted in comparison.variants)
    return picture(
        "layers.svg",
        "The parameters of each network, layer by layer",
        f"Stacked bars of the parameters of each layer. Totals: {described}. The table of networks has all numbers.",
        height,
        _layers(comparison, legend, first, height),
    )


def _layers(comparison: Comparison, legend: list[tuple[str, float, int]], first: int, height: int) -> Iterator[str]:
    colours = _colours(comparison)
    for name, x, row in legend:
        yield rect(x, MARGIN + row * 20 + 1, 11, 11, "outlined", fill=colours[name])
        yield text(x + 16, MARGIN + row * 20 + 11, name, "small")
    scale = INNER / max(1, *(counted.trainable for counted in comparison.variants))
    for place, counted in enumerate(comparison.variants):
        yield from _stack(counted, first + place * 38, scale, colours)
    yield from _axis(height - 26, scale)


def _colours(comparison: Comparison) -> dict[str, str]:
    """A colour for each layer, the strongest for those that are largest somewhere."""
    largest: dict[str, int] = {}
    for layer in (layer for counted in comparison.variants for layer in counted.layers):
        largest[layer.name] = max(layer.trainable, largest.get(layer.name, 0))
    return dict(zip(sorted(largest, key=lambda name: -largest[name]), PALETTE * len(largest), strict=False))


def _stack(counted: Count, top: float, scale: float, colours: dict[str, str]) -> Iterator[str]:
    yield from _labels(counted.variant, f"{counted.trainable:,}", top)
    x = float(MARGIN)
    for layer in counted.layers:
        yield rect(x, top + 19, layer.trainable * scale, _BAR, "outlined", fill=colours[layer.name])
        x += layer.trainable * scale


def _placed_names(names: tuple[str, ...]) -> list[tuple[str, float, int]]:
    """Names of a legend with their place and line, as many on a line as there is room for."""
    placed, x, row = [], float(MARGIN), 0
    for name in names:
        width = 16 + 7 * len(name) + 14
        if x + width > WIDTH - MARGIN and x > MARGIN:
            x, row = float(MARGIN), row + 1
        placed.append((name, x, row))
        x += width
    return placed
