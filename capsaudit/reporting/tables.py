"""The tables that only the report has; the others are those of the commands' own documents."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from capsaudit.render.document import Cell, Column, Grid, figure, number, verdict, word
from capsaudit.render.reasons import because
from capsaudit.render.tables.claims import what_is_claimed
from capsaudit.render.tables.count import agreement
from capsaudit.reporting.contents import ReportContents
from capsaudit.results import Comparison, Count, StatedFigure


class Table(Struct, frozen=True):
    """A table with its caption."""

    caption: str
    grid: Grid


def arranged(grid: Grid, *first: str) -> Grid:
    """The same table with these columns in front: the most important ones are seen first where there is little room."""
    names = [column.name for column in grid.columns]
    order = sorted(range(len(names)), key=lambda i: first.index(names[i]) if names[i] in first else len(first))
    rows = tuple(tuple(row[i] for i in order) for row in grid.rows)
    return Grid(name=grid.name, columns=tuple(grid.columns[i] for i in order), rows=rows, rules=grid.rules)


def paper_figures(contents: ReportContents) -> Table:
    """The figures that must agree together, beside the exact counts."""
    known = {claim.id: claim for claim in contents.claims.claims}
    claims = [known[each.claim] for each in contents.joint.figures if each.claim in known]
    columns = (
        Column("figure"),
        Column("exact", right=True),
        Column("verdict"),
        Column("network", hyphens=True),
        Column("because", wraps=True),
    )
    rows = tuple(
        (figure(c.stated), number(c.exact), verdict(c.verdict), word(c.about), word(because(c.reasons))) for c in claims
    )
    return Table("The paper's figures", Grid(name="paper's figures", columns=columns, rows=rows))


def claims_of(contents: ReportContents, source: str) -> Table:
    """Every claim of a source with its verdict."""
    columns = (
        Column("claim", wraps=True),
        Column("verdict"),
        Column("because", wraps=True),
        Column("place", wraps=True),
        Column("id", hyphens=True),
    )
    rows = tuple(
        (word(what_is_claimed(c)), verdict(c.verdict), word(because(c.reasons)), word(c.place), word(c.id))
        for c in contents.claims.claims
        if c.source == source
    )
    caption = f"Claims of the {source}: {contents.sources.get(source, source)}"
    return Table(caption, Grid(name=f"claims of {source}", columns=columns, rows=rows))


def networks(comparison: Comparison) -> Table:
    """A row for each variant, a column for each layer."""
    layers = [Column(name, right=True) for name in comparison.layers]
    columns = (
        Column("network", hyphens=True),
        *layers,
        Column("total", right=True),
        Column("stated", right=True),
        Column("verdict"),
        Column("witnesses"),
    )
    rows = tuple(_network_row(counted, comparison.layers) for counted in comparison.variants)
    return Table("Trainable parameters, layer by layer", Grid(name="networks", columns=columns, rows=rows))


def _network_row(counted: Count, layers: tuple[str, ...]) -> tuple[Cell, ...]:
    found = {layer.name: layer.trainable for layer in counted.layers}
    return (
        word(counted.variant),
        *(number(found.get(name)) for name in layers),
        number(counted.trainable, tone="total"),
        figure(counted.stated),
        verdict(counted.verdict),
        agreement(counted),
    )


def summaries(comparison: Comparison) -> Table:
    """What each network is."""
    columns = (Column("network", hyphens=True), Column("summary", wraps=True))
    rows = tuple((word(counted.variant), word(counted.summary)) for counted in comparison.variants)
    return Table("The networks", Grid(name="summaries", columns=columns, rows=rows))


def agreeing(comparison: Comparison) -> Table:
    """Each stated figure, the totals that round to it, and the variants among them."""
    columns = (
        Column("figure"),
        Column("smallest total", right=True),
        Column("largest total", right=True),
        Column("stated for", hyphens=True),
        Column("agrees with", wraps=True, hyphens=True),
    )
    totals = {counted.variant: counted.trainable for counted in comparison.variants}
    rows = tuple(_figure_row(stated, totals) for stated in comparison.figures)
    return Table("The totals that round to each figure", Grid(name="intervals", columns=columns, rows=rows))


def _figure_row(stated: StatedFigure, totals: dict[str, int]) -> tuple[Cell, ...]:
    low, high = stated.interval
    networks = ", ".join(f"{name} ({totals[name]:,})" for name in stated.agreeing)
    return figure(stated.stated), number(low), number(high), word(stated.about), word(networks)


def evidence(contents: ReportContents) -> Iterator[str]:
    """How sure we are that a source says so, where that is known."""
    for claim in contents.claims.claims:
        if claim.evidence:
            yield f"{what_is_claimed(claim)} ({claim.id}): {claim.evidence}."
