"""Counts: one variant, several side by side, and the list of all."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import Cell, Column, Document, Grid, number, shape, verdict, word
from capsaudit.render.tables.base import BLANK, draw
from capsaudit.results import Comparison, Count, Layer, Listing


@draw.register(Count)
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


@draw.register(Comparison)
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


@draw.register(Listing)
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
