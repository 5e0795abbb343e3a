"""Counts: one variant, several side by side, and the list of all."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import (
    Cell,
    Column,
    Document,
    Grid,
    figure,
    number,
    separated,
    shape,
    verdict,
    word,
)
from capsaudit.render.reasons import sentence
from capsaudit.render.tables.base import BLANK
from capsaudit.results import Comparison, Count, Layer, VariantList


def count(result: Count) -> Document:
    """A variant layer by layer."""
    frozen, buffers = bool(result.frozen), bool(result.buffers)
    columns = (
        Column("layer"),
        Column("input"),
        Column("output"),
        Column("formula", wraps=True),
        Column("trainable", right=True),
        *([Column("frozen", right=True)] if frozen else []),
        *([Column("buffers", right=True)] if buffers else []),
        Column("stated", right=True),
        Column("verdict"),
    )
    rows = [_layer_row(layer, frozen=frozen, buffers=buffers) for layer in result.layers]
    rows.append(
        (
            word("total", tone="total"),
            BLANK,
            BLANK,
            BLANK,
            number(result.trainable, tone="total"),
            *([number(result.frozen, tone="total")] if frozen else []),
            *([number(result.buffers, tone="total")] if buffers else []),
            figure(result.stated),
            verdict(result.verdict),
        )
    )
    grid = Grid(name="layers", columns=columns, rows=tuple(rows), rules=(len(rows) - 1,))
    return Document(title=f"{result.variant}: {result.summary}", parts=(grid, *_count_sentences(result)))


def _layer_row(layer: Layer, *, frozen: bool, buffers: bool) -> tuple[Cell, ...]:
    formula = layer.formula + (f"\nfrozen {layer.frozen_formula}" if layer.frozen_formula else "")
    return (
        word(layer.name),
        shape(layer.input_shape),
        shape(layer.output_shape),
        word(formula),
        number(layer.trainable),
        *([number(layer.frozen)] if frozen else []),
        *([number(layer.buffers)] if buffers else []),
        figure(layer.stated),
        verdict(layer.verdict),
    )


def _count_sentences(result: Count) -> Iterator[str]:
    if result.stated is not None:
        if result.rounds_to != f"{result.trainable:,}":
            yield f"{result.trainable:,} is {result.rounds_to} at the precision of the stated figure."
        yield f"Stated by: {result.stated_source}."
    yield "Witnesses: " + " · ".join(_witness(name, counted) for name, counted in result.witnesses.items())
    yield from (f"Disagreement: {sentence(found)}." for found in result.all_disagreements)
    yield from _how_sizes_come_about(result)
    for layer in result.layers:
        yield from (f"{sentence(why)}." for why in layer.reasons)
        yield from (f"{layer.name}: {note}" for note in layer.notes)
    yield from (f"{sentence(why)}." for why in result.reasons)
    yield from result.notes


def _how_sizes_come_about(result: Count) -> Iterator[str]:
    channels, height, width = result.layers[0].output_shape
    last = f"{channels}×{height}×{width} is {height}×{width}×{channels} where channels are last"
    yield f"Shapes are channels first: {last}."
    yield from (f"{layer.name}: {'; '.join(layer.derivations)}" for layer in result.layers if layer.derivations)


def _witness(name: str, counted: int | None) -> str:
    return f"{name} {counted:,}" if counted is not None else f"{name} did not count"


def compare(result: Comparison) -> Document:
    """Variants side by side."""
    columns = (Column("layer"), *(Column(counted.variant, right=True) for counted in result.variants))
    layers = [_compared_row(result, name) for name in result.layers]
    totals = [
        _marked("total", [counted.trainable for counted in result.variants]),
        _marked("frozen", [counted.frozen or None for counted in result.variants]),
        (word("stated"), *(figure(counted.stated) for counted in result.variants)),
        (word("agrees with"), *(_agrees_with(result, counted.variant) for counted in result.variants)),
        (word("verdict"), *(verdict(counted.verdict) for counted in result.variants)),
        (word("witnesses"), *(agreement(counted) for counted in result.variants)),
    ]
    grid = Grid(name="layers", columns=columns, rows=(*layers, *totals), rules=(len(layers),), splits=True)
    counted = len(result.variants)
    title = f"{counted:,} variant{'s' * (counted != 1)}, trainable parameters layer by layer"
    differs = (f"≠ differs from {result.variants[0].variant}, the first column.",) if counted > 1 else ()
    return Document(title=title, parts=(grid.without_empty_rows(), *differs, *_comparison_sentences(result)))


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


def _agrees_with(result: Comparison, variant: str) -> Cell:
    """The stated figures that this total agrees with, whichever network they are stated for."""
    figures = dict.fromkeys(each.stated for each in result.figures if variant in each.agreeing)
    return Cell("\n".join(map(separated, figures)) or "none", " ".join(figures))


def agreement(counted: Count) -> Cell:
    """How many witnesses agree."""
    if counted.all_disagreements:
        return Cell("differ", "differ", "bad")
    found = [value for value in counted.witnesses.values() if value is not None]
    missing = len(counted.witnesses) - len(found)
    text = f"{len(found)} agree" if len(found) > 1 else "1 alone"
    return Cell(text + (f", {missing} did not count" if missing else ""), text)


def _comparison_sentences(result: Comparison) -> Iterator[str]:
    compared = {counted.variant for counted in result.variants}
    for each in result.figures:
        if each.agreeing or each.about in compared:
            agreeing = ", ".join(each.agreeing) or "none of them"
            yield f"{separated(each.stated)}, stated for variant {each.about} by: {each.source}. Totals that agree: {agreeing}."
    for counted in result.variants:
        yield from (f"{counted.variant}: {sentence(found)}." for found in counted.all_disagreements)
        yield from (f"{sentence(why)}." for why in counted.reasons)
        yield from (f"{counted.variant}: {note}" for note in counted.notes)
        yield from (f"{counted.variant}, {sentence(why)}." for layer in counted.layers for why in layer.reasons)


def variants(result: VariantList) -> Document:
    """The list of variants."""
    columns = (
        Column("variant", hyphens=True),
        Column("extends", hyphens=True),
        Column("summary", wraps=True),
        Column("total", right=True),
        Column("stated", right=True),
    )
    rows = tuple(
        (word(v.id), word(v.extends), word(v.summary), number(v.trainable), figure(v.stated)) for v in result.variants
    )
    hint = f"{len(rows)} variants. To count one, layer by layer: capsaudit count {result.variants[0].id}"
    return Document(title="Variants", parts=(Grid(name="variants", columns=columns, rows=rows), hint))
