"""The tables that only the report has; the others are those of the verbs' own documents."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from capsaudit.published import parse_figure
from capsaudit.render.document import Cell, Column, Grid, number, verdict, word
from capsaudit.reporting.contents import WrittenAudit
from capsaudit.results import AGREES, UNDECIDED, Claimed, Comparison, Count, StatedFigure


class Table(Struct, frozen=True):
    """A table with its caption."""

    caption: str
    grid: Grid


def arranged(grid: Grid, *first: str) -> Grid:
    """The same table with these columns in front: what matters most is seen first where there is room for few."""
    names = [column.name for column in grid.columns]
    order = sorted(range(len(names)), key=lambda i: first.index(names[i]) if names[i] in first else len(first))
    rows = tuple(tuple(row[i] for i in order) for row in grid.rows)
    return Grid(tuple(grid.columns[i] for i in order), rows, grid.rules)


def as_said(stated: str | None) -> str:
    """A figure as printed, with the separators that the data leave out.

    >>> as_said("11.36M"), as_said("8238608"), as_said("82432, input 10×16"), as_said("0.000125")
    ('11.36M', '8,238,608', '82,432, input 10×16', '0.000125')
    """
    return re.sub(r"(?<![\d.,])[1-9]\d{4,}(?!\d|\.\d)", lambda found: f"{int(found[0]):,}", stated or "")


def paper_figures(audit: WrittenAudit) -> Table:
    """The figures that must hold together, beside what the layers give."""
    known = {claim.id: claim for claim in audit.claims.claims}
    claims = [known[figure.claim] for figure in audit.joint.figures if figure.claim in known]
    columns = (
        Column("figure"),
        Column("exact", right=True),
        Column("verdict"),
        Column("network", hyphens=True),
        Column("because", wraps=True),
    )
    rows = tuple(
        (word(as_said(c.stated)), number(c.exact), _judged(c), word(c.about), word(as_said(c.because))) for c in claims
    )
    return Table("The paper's figures", Grid(columns=columns, rows=rows))


def claims_of(audit: WrittenAudit, source: str) -> Table:
    """Every claim of a source with its verdict."""
    columns = (
        Column("claim", hyphens=True),
        Column("verdict"),
        Column("what is claimed", wraps=True),
        Column("because", wraps=True),
        Column("place", wraps=True),
    )
    rows = tuple(
        (word(c.id), _judged(c), word(_claimed(c)), word(as_said(c.because)), word(c.place))
        for c in audit.claims.claims
        if c.source == source
    )
    return Table(f"Claims of the {source}: {audit.sources.get(source, source)}", Grid(columns=columns, rows=rows))


def _claimed(claim: Claimed) -> str:
    where = f"{claim.layer} of {claim.about}" if claim.layer else claim.about
    return claim.statement or as_said(f"{where}: {claim.stated}")


def _judged(claim: Claimed) -> Cell:
    tone = {AGREES: "good", UNDECIDED: ""}.get(claim.verdict, "bad")
    return Cell(claim.verdict, claim.verdict, tone)


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
    return Table("Trainable parameters, layer by layer", Grid(columns=columns, rows=rows))


def _network_row(counted: Count, layers: tuple[str, ...]) -> tuple[Cell, ...]:
    found = {layer.name: layer.trainable for layer in counted.layers}
    return (
        word(counted.variant),
        *(number(found.get(name)) for name in layers),
        number(counted.trainable, tone="total"),
        word(as_said(counted.stated) or None),
        verdict(counted.verdict),
        _witnesses(counted),
    )


def _witnesses(counted: Count) -> Cell:
    said = [value for value in counted.witnesses.values() if value is not None]
    differ = counted.disagreements or any(layer.disagreements for layer in counted.layers)
    text = "differ" if differ else f"{len(said)} of {len(counted.witnesses)} agree"
    return Cell(text, text, "bad" if differ else "")


def summaries(comparison: Comparison) -> Table:
    """What each network is."""
    rows = tuple((word(counted.variant), word(counted.summary)) for counted in comparison.variants)
    return Table("The networks", Grid((Column("network", hyphens=True), Column("what it is", wraps=True)), rows))


def printed_by(comparison: Comparison) -> Table:
    """Each stated figure, the totals that it stands for, and the variants that print as it."""
    columns = (
        Column("figure"),
        Column("from", right=True),
        Column("to", right=True),
        Column("stated of", hyphens=True),
        Column("printed by", wraps=True, hyphens=True),
    )
    totals = {counted.variant: counted.trainable for counted in comparison.variants}
    rows = tuple(_figure_row(stated, totals) for stated in comparison.figures)
    return Table("Figures as intervals", Grid(columns=columns, rows=rows))


def _figure_row(stated: StatedFigure, totals: dict[str, int]) -> tuple[Cell, ...]:
    figure = parse_figure(stated.stated)
    printed = ", ".join(f"{name} ({totals[name]:,})" for name in stated.printed_by)
    return word(as_said(stated.stated)), number(figure.low), number(figure.high), word(stated.about), word(printed)


def evidence(audit: WrittenAudit) -> Iterator[str]:
    """How sure we are that a source says so, where that is known."""
    yield from (f"{claim.id}: {claim.evidence}." for claim in audit.claims.claims if claim.evidence)
