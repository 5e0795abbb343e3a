"""Which tables each result becomes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch
from typing import Any

from capsaudit.render.document import (
    Bar,
    Cell,
    Column,
    Document,
    Grid,
    Waterfall,
    number,
    shape,
    verdict,
    word,
)
from capsaudit.results import Check, Comparison, Count, Layer, Ledger, Listing, Run, Runs, Step

BLANK = Cell("", None)


@singledispatch
def document(result: object) -> Document:
    """The document of a result."""
    raise TypeError(f"no document for {type(result).__name__}")


@document.register(Count)
def _count(result: Count) -> Document:
    frozen = bool(result.frozen)
    columns = (
        Column("layer"),
        Column("input"),
        Column("output"),
        Column("formula", wraps=True),
        Column("trainable", right=True),
        *([Column("frozen", right=True)] if frozen else []),
        Column("stated", right=True),
        Column("verdict"),
    )
    rows = [_layer_row(layer, frozen=frozen) for layer in result.layers]
    rows.append(
        (
            word("total", tone="total"),
            BLANK,
            BLANK,
            BLANK,
            number(result.trainable, tone="total"),
            *([number(result.frozen, tone="total")] if frozen else []),
            word(result.stated),
            verdict(result.verdict),
        )
    )
    grid = Grid(columns=columns, rows=tuple(rows), rules=(len(rows) - 1,))
    return Document(title=f"{result.variant}: {result.summary}", parts=(grid, *_count_lines(result)))


def _layer_row(layer: Layer, *, frozen: bool) -> tuple[Cell, ...]:
    formula = layer.formula + (f"\nfrozen {layer.frozen_formula}" if layer.frozen_formula else "")
    return (
        word(layer.name),
        shape(layer.input_shape),
        shape(layer.output_shape),
        word(formula),
        number(layer.trainable),
        *([number(layer.frozen)] if frozen else []),
        word(layer.stated),
        verdict(layer.verdict),
    )


def _count_lines(result: Count) -> Iterator[str]:
    if result.stated is not None:
        yield f"At the precision of the stated {result.stated}, {result.trainable:,} prints as {result.prints_as}."
        yield f"Stated by: {result.stated_source}."
    yield "Witnesses: " + " · ".join(_heard(name, said) for name, said in result.witnesses.items())
    yield from (f"Disagreement: {text}" for text in result.disagreements)
    for layer in result.layers:
        yield from (f"Disagreement: {text}" for text in layer.disagreements)
        yield from (f"{layer.name}: {text}" for text in (*layer.because, *layer.notes))
    yield from (f"total: {text}" for text in result.because)
    yield from result.notes


def _heard(name: str, said: int | None) -> str:
    return f"{name} {said:,}" if said is not None else f"{name} did not count"


@document.register(Comparison)
def _comparison(result: Comparison) -> Document:
    columns = (Column("layer"), *(Column(counted.variant, right=True) for counted in result.variants))
    layers = [_compared_row(result, name) for name in result.layers]
    totals = [
        _marked("total", [counted.trainable for counted in result.variants]),
        _marked("frozen", [counted.frozen or None for counted in result.variants]),
        (word("stated"), *(word(counted.stated) for counted in result.variants)),
        (word("prints as"), *(_prints_as(result, counted.variant) for counted in result.variants)),
        (word("verdict"), *(verdict(counted.verdict) for counted in result.variants)),
        (word("witnesses"), *(_agreement(counted) for counted in result.variants)),
    ]
    grid = Grid(columns=columns, rows=(*layers, *totals), rules=(len(layers),), splits=True).without_empty_rows()
    names = ", ".join(counted.variant for counted in result.variants[:1])
    return Document(
        title=f"{len(result.variants)} variants, trainable parameters layer by layer",
        parts=(grid, f"≠ differs from {names}, the first column.", *_comparison_lines(result)),
    )


def _compared_row(result: Comparison, name: str) -> tuple[Cell, ...]:
    found = [
        next((layer.trainable for layer in counted.layers if layer.name == name), None) for counted in result.variants
    ]
    return _marked(name, found)


def _marked(name: str, found: list[int | None] | list[int]) -> tuple[Cell, ...]:
    """A row of counts; those that differ from the first are marked."""
    return (word(name), *(_mark(number(value), value != found[0]) for value in found))


def _mark(cell: Cell, differs: bool) -> Cell:
    return Cell(f"≠{cell.text}", cell.raw, "changed") if differs else cell


def _prints_as(result: Comparison, variant: str) -> Cell:
    """The stated figures that this total agrees with, whoever they are stated of."""
    figures = dict.fromkeys(figure.stated for figure in result.figures if variant in figure.printed_by)
    return Cell("\n".join(figures) or "none", " ".join(figures))


def _agreement(counted: Count) -> Cell:
    said = [value for value in counted.witnesses.values() if value is not None]
    if counted.disagreements or any(layer.disagreements for layer in counted.layers):
        return Cell("differ", "differ", "bad")
    missing = len(counted.witnesses) - len(said)
    text = f"{len(said)} agree" if len(said) > 1 else "1 alone"
    return Cell(text + (f", {missing} silent" if missing else ""), text)


def _comparison_lines(result: Comparison) -> Iterator[str]:
    compared = {counted.variant for counted in result.variants}
    for figure in result.figures:
        if figure.printed_by or figure.about in compared:
            printed = ", ".join(figure.printed_by) or "none of them"
            yield f"{figure.stated} is printed by {printed}. Stated of {figure.about}: {figure.source}."
    for counted in result.variants:
        differing = [*counted.disagreements, *(text for layer in counted.layers for text in layer.disagreements)]
        yield from (f"{counted.variant}: {text}" for text in (*differing, *counted.because, *counted.notes))
        yield from (f"{counted.variant}, {layer.name}: {text}" for layer in counted.layers for text in layer.because)


@document.register(Ledger)
def _ledger(result: Ledger) -> Document:
    columns = (
        Column("knob"),
        Column("from → to", wraps=True),
        Column("difference", right=True),
        Column("total", right=True),
        Column("in", wraps=True),
    )
    end_total = result.start_total + result.difference
    first = (word(result.start, tone="total"), BLANK, BLANK, number(result.start_total, tone="total"), BLANK)
    steps = [_step_row(step) for step in result.steps]
    net = number(result.difference, tone="total", signed=True)
    last = (word(result.end, tone="total"), BLANK, net, number(end_total, tone="total"), BLANK)
    grid = Grid(columns=columns, rows=(first, *steps, last), rules=(1, len(steps) + 1))
    return Document(
        title=f"From {result.start} to {result.end}",
        parts=(grid, _waterfall(result, end_total), *_ledger_lines(result)),
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
    totals = [result.start_total, end_total, *(step.total for step in result.steps)]
    span = max(totals) - min(totals)
    origin = max(0, min(totals) - max(span // 5, 1))
    bars = [Bar(result.start, origin, result.start_total, f"{result.start_total:,}", "total")]
    for step in result.steps:
        text = number(step.difference, signed=True).text
        bars.append(Bar(step.knob, step.total - step.difference, step.total, text, _direction(step.difference)))
    bars.append(Bar(result.end, origin, end_total, f"{end_total:,}", "total"))
    return Waterfall(bars=tuple(bars), origin=origin)


def _ledger_lines(result: Ledger) -> Iterator[str]:
    yield f"Order: {result.order}."
    for step in result.steps:
        if step.alone is not None and step.alone != step.difference:
            alone = number(step.alone, signed=True).text
            yield f"{step.knob} meets the knobs before it: alone, from {result.start}, it makes {alone}."
    if not result.steps:
        yield "The two do not differ in any knob."


@document.register(Check)
def _check(result: Check) -> Document:
    columns = (
        Column("variant"),
        Column("layer"),
        Column("what", wraps=True),
        Column("expected", wraps=True),
        Column("found", wraps=True),
    )
    rows = tuple(
        (word(f.variant), word(f.layer), word(f.what), _value(f.expected), _value(f.found)) for f in result.failures
    )
    held = result.checked - len(result.failures)
    title = "check: " + ("agrees" if result.agrees else "disagrees")
    total = f"{held:,} of {result.checked:,} statements about {len(result.variants):,} variants hold."
    grid = Grid(columns=columns, rows=rows)
    return Document(title=title, parts=(grid, total) if rows else (total, grid))


@document.register(Listing)
def _listing(result: Listing) -> Document:
    columns = (
        Column("variant"),
        Column("extends"),
        Column("what it is", wraps=True),
        Column("total", right=True),
        Column("stated", right=True),
    )
    rows = tuple(
        (word(v.id), word(v.extends), word(v.summary), number(v.trainable), word(v.stated)) for v in result.variants
    )
    lines = (f"{len(rows)} variants. Look into one: capsaudit count --variant {result.variants[0].id}",)
    return Document(title="Variants", parts=(Grid(columns=columns, rows=rows), *lines))


@document.register(Runs)
def _runs(result: Runs) -> Document:
    columns = (
        Column("variant", hyphens=True),
        Column("loss", right=True),
        Column("accuracy", right=True),
        Column("images/s", right=True),
        Column("peak MiB", right=True),
        Column("counted", right=True),
        Column("moved", right=True),
        Column("verdict", wraps=True),
    )
    grid = Grid(columns=columns, rows=tuple(map(_run_row, result.runs)))
    tensors = [_tensors(run) for run in result.runs] if len(result.runs) <= 2 else []
    count = len(result.runs)
    title = f"{count} short training run{'s' * (count != 1)}" + (", interrupted" if result.interrupted else "")
    parts = (grid, *_run_lines(result), *(part for parts in tensors for part in parts))
    return Document(title=title, parts=parts, data=_run_data(result))


def _run_data(result: Runs) -> Grid:
    """One value a column."""
    rows = tuple(
        tuple(Cell(str(v), None if v is None else str(v)) for v in _run_values(run).values()) for run in result.runs
    )
    return Grid(columns=tuple(map(Column, _run_values(result.runs[0]))) if rows else (), rows=rows)


def _run_values(run: Run) -> dict[str, object]:
    return {
        "variant": run.variant,
        "loss_first": run.loss.first,
        "loss_last": run.loss.last,
        "accuracy_before": run.accuracy.before,
        "accuracy_after": run.accuracy.after,
        "images_per_second": run.images_per_second,
        "peak_memory_bytes": run.peak_memory_bytes,
        "counted": run.counted,
        "updated": run.updated,
        "verdict": run.verdict,
    }


def _run_row(run: Run) -> tuple[Cell, ...]:
    tone = "good" if run.verdict == "learns" else "bad"
    return (
        word(run.variant),
        word(f"{_loss(run.loss.first)}\n→ {_loss(run.loss.last)}"),
        word(f"{run.accuracy.before:.1%}\n→ {run.accuracy.after:.1%}"),
        number(round(run.images_per_second)),
        number(round(run.peak_memory_bytes / 2**20)),
        number(run.counted),
        number(run.updated, tone="" if run.updated == run.counted else "bad"),
        Cell(run.verdict, run.verdict, tone),
    )


def _loss(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4f}"


def _run_lines(result: Runs) -> Iterator[str]:
    for run in result.runs:
        yield f"{run.variant}: {run.verdict}, {run.because}. {run.steps:,} steps of {run.batch_size:,}, seed {run.seed}, {run.device}."
    for data in dict.fromkeys(run.data for run in result.runs):
        yield f"Data: {data}."


def _tensors(run: Run) -> tuple[str, Grid]:
    columns = (
        Column(run.variant),
        Column("counted", right=True),
        Column("reached"),
        Column("moved", right=True),
        Column("values that differ", right=True),
    )
    rows = tuple(
        (word(p.name), number(p.count), word("yes" if p.reached else "no"), number(p.updated), number(p.values_moved))
        for p in run.parameters
    )
    total = (
        word("total", tone="total"),
        number(run.counted, tone="total"),
        BLANK,
        number(run.updated, tone="total"),
        BLANK,
    )
    return f"{run.variant}, tensor by tensor:", Grid(columns=columns, rows=(*rows, total), rules=(len(rows),))


def setting(value: Any) -> str:
    """A knob's value as people write it: `28`, `512, 1024`, `true`, a table as `key value` pairs."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return ("; " if any(isinstance(item, dict) for item in value) else ", ").join(map(setting, value))
        case dict():
            return ", ".join(f"{key} {setting(item)}" for key, item in value.items())
        case _:
            return str(value)


def _value(value: object) -> Cell:
    match value:
        case bool() | None:
            return word(str(value))
        case int():
            return number(value)
        case [tuple() as first, tuple() as second]:
            return word(f"{shape(first).text} → {shape(second).text}")
        case tuple():
            return shape(value)
        case _:
            return word(str(value))


def _direction(difference: int) -> str:
    return "good" if difference > 0 else "bad" if difference < 0 else ""
