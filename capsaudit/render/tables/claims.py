"""Claims and their verdicts."""

from __future__ import annotations

from capsaudit.render.document import Cell, Column, Document, Grid, number, word
from capsaudit.render.tables.base import draw
from capsaudit.results import Claimed, Claims


@draw.register(Claims)
def _claims(result: Claims) -> Document:
    columns = (
        Column("claim", hyphens=True),
        Column("what is claimed", wraps=True),
        Column("verdict"),
        Column("because", wraps=True),
    )
    sources = list(dict.fromkeys(claim.source for claim in result.claims))
    ordered = [claim for source in sources for claim in result.claims if claim.source == source]
    starts = tuple(i for i, claim in enumerate(ordered) if i and claim.source != ordered[i - 1].source)
    grid = Grid(columns=columns, rows=tuple(map(_claim_row, ordered)), rules=starts)
    held = sum(claim.verdict == "agrees" for claim in ordered)
    return Document(
        title=f"{len(ordered)} claims of {len(sources)} source{'s' * (len(sources) != 1)}, {held} of which agree",
        parts=(grid, *(f"How we know of {c.id}: {c.evidence}." for c in ordered if c.evidence)),
        data=lambda: _claim_data(ordered),
    )


def _claim_row(claim: Claimed) -> tuple[Cell, ...]:
    tone = {"agrees": "good", "undecided": "changed"}.get(claim.verdict, "bad")
    return (
        word(claim.id),
        word(_claimed(claim)),
        Cell(claim.verdict, claim.verdict, tone),
        word(claim.because),
    )


def _claimed(claim: Claimed) -> str:
    """A statement as it stands, a figure with what it is about."""
    if claim.statement is not None:
        return claim.statement
    return f"{claim.layer} of {claim.about}: {claim.stated}" if claim.layer else f"{claim.about}: {claim.stated}"


def _claim_data(claims: list[Claimed]) -> Grid:
    names = ("id", "source", "place", "statement", "stated", "about", "layer", "verdict", "exact", "true_of", "because")
    rows = tuple(
        tuple(
            number(claim.exact)
            if name == "exact"
            else word(" ".join(claim.true_of) if name == "true_of" else getattr(claim, name))
            for name in names
        )
        for claim in claims
    )
    return Grid(columns=tuple(map(Column, names)), rows=rows)
