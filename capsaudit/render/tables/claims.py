"""Claims and their verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import Cell, Column, Document, Grid, number, separated, verdict, word
from capsaudit.render.reasons import because
from capsaudit.results import Claims, JudgedClaim


def claims(result: Claims) -> Document:
    """Every claim with its verdict, source by source."""
    columns = (
        Column("claim", hyphens=True),
        Column("what is claimed", hyphens=True),
        Column("verdict"),
        Column("because", wraps=True),
    )
    sources = list(dict.fromkeys(claim.source for claim in result.claims))
    ordered = [claim for source in sources for claim in result.claims if claim.source == source]
    starts = tuple(i for i, claim in enumerate(ordered) if i and claim.source != ordered[i - 1].source)
    grid = Grid(name="claims", columns=columns, rows=tuple(map(_row, ordered)), rules=starts)
    agreeing = sum(claim.verdict == "agrees" for claim in ordered)
    return Document(
        title=f"{len(ordered)} claims from {len(sources)} source{'s' * (len(sources) != 1)}, {agreeing} of which agree",
        parts=(grid, *_known_how(ordered)),
        data=lambda: _data(ordered),
    )


_GRADES = {
    "seen": "seen in a copy of the source",
    "quoted": "quoted by others",
    "recalled": "recalled, neither seen in a copy nor quoted",
}


def _known_how(claims: list[JudgedClaim]) -> Iterator[str]:
    """How it is known that each source states this: what most claims of a source have in common once, then what single ones differ in."""
    usual: dict[str, tuple[str | None, str | None]] = {}
    for source in dict.fromkeys(claim.source for claim in claims):
        ways = [(claim.grade, claim.version) for claim in claims if claim.source == source]
        usual[source] = max(ways, key=ways.count)
        if any(usual[source]):
            yield f"Evidence for {source}: {_way(*usual[source])}, unless a claim is listed here."
    for claim in claims:
        way = _way(claim.grade, claim.version) if (claim.grade, claim.version) != usual[claim.source] else None
        if way or claim.evidence:
            yield f"Evidence for {claim.id}: {'; '.join(filter(None, (way, claim.evidence)))}."


def _way(grade: str | None, version: str | None) -> str:
    return ", ".join(filter(None, (_GRADES.get(grade or ""), version)))


def what_is_claimed(claim: JudgedClaim) -> str:
    """A statement as it is, a figure with what it is about."""
    if claim.statement is not None:
        return claim.statement
    stated = separated(claim.stated or "")
    return f"{claim.layer} of {claim.about}: {stated}" if claim.layer else f"{claim.about}: {stated}"


def _row(claim: JudgedClaim) -> tuple[Cell, ...]:
    return word(claim.id), word(what_is_claimed(claim)), verdict(claim.verdict), word(because(claim.reasons))


def _data(claims: list[JudgedClaim]) -> Grid:
    names = ("id", "source", "place", "version", "grade", "statement", "stated", "about", "layer", "verdict")
    columns = (*names, "exact", "also", "true_of", "because")
    rows = tuple(
        (
            *(word(getattr(claim, name)) for name in names),
            number(claim.exact),
            word(" ".join(claim.also)),
            word(" ".join(claim.true_of)),
            word(because(claim.reasons)),
        )
        for claim in claims
    )
    return Grid(name="claims", columns=tuple(map(Column, columns)), rows=rows)
