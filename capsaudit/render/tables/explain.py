"""The ledger: a table of steps and their waterfall."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import Bar, Cell, Column, Document, Grid, Tone, Waterfall, number, word
from capsaudit.render.tables.base import BLANK, setting
from capsaudit.results import Ledger, Step


def explain(result: Ledger) -> Document:
    """The steps from one total to the other; one line where there are none."""
    columns = (
        Column("knob"),
        Column("from → to", wraps=True),
        Column("difference", right=True),
        Column("total", right=True),
        Column("by layer", wraps=True),
    )
    end_total = result.start_total + result.difference
    first = (word(result.start, tone="total"), BLANK, BLANK, number(result.start_total, tone="total"), BLANK)
    steps = [_step_row(step) for step in result.steps]
    net = number(result.difference, tone="total", signed=True)
    last = (word(result.end, tone="total"), BLANK, net, number(end_total, tone="total"), BLANK)
    grid = Grid(name="steps", columns=columns, rows=(first, *steps, last), rules=(1, len(steps) + 1))
    if not result.steps:
        same = f"{result.start} and {result.end} have the same knobs: {result.start_total:,} trainable parameters"
        return Document(title=same, parts=(), data=lambda: grid)
    return Document(
        title=f"From {result.start} to {result.end}",
        parts=(grid, _waterfall(result, end_total), *_sentences(result)),
    )


def order_sentence(result: Ledger) -> str:
    """In which order knobs are changed, and why it matters."""
    return (
        f"Knobs are changed one after another, by group, in the order {', '.join(result.order)}. Where a count contains the product of two "
        "changed values, the order determines how their joint effect is divided."
    )


def _step_row(step: Step) -> tuple[Cell, ...]:
    where = ", ".join(f"{part.layer} {number(part.difference, signed=True).text}" for part in step.layers)
    return (
        word(step.knob),
        word(f"{setting(step.before)} → {setting(step.after)}"),
        number(step.difference, signed=True, tone=_direction(step.difference)),
        number(step.total),
        word(where or "no layer's count"),
    )


def _waterfall(result: Ledger, end_total: int) -> Waterfall:
    bars = [Bar(result.start, 0, result.start_total, f"{result.start_total:,}", "total")]
    for step in result.steps:
        text = number(step.difference, signed=True).text
        bars.append(Bar(step.knob, step.total - step.difference, step.total, text, _direction(step.difference)))
    bars.append(Bar(result.end, 0, end_total, f"{end_total:,}", "total"))
    return Waterfall(bars=tuple(bars))


def _sentences(result: Ledger) -> Iterator[str]:
    yield order_sentence(result)
    for step in result.steps:
        if step.alone is not None and step.alone != step.difference:
            alone = number(step.alone, signed=True).text
            yield f"{step.knob} interacts with earlier changes: as the only change to {result.start}, it would make {alone}."


def _direction(difference: int) -> Tone:
    return "more" if difference > 0 else "fewer" if difference < 0 else ""
