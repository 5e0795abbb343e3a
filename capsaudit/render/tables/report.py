"""What became of the report's files."""

from __future__ import annotations

from capsaudit.render.document import Cell, Column, Document, Grid, word
from capsaudit.render.tables.base import draw
from capsaudit.results import Report


@draw.register(Report)
def _report(result: Report) -> Document:
    rows = tuple((word(name), _state(result, name)) for name in result.files)
    grid = Grid(columns=(Column("file"), Column("is")), rows=rows)
    stale = f"{len(result.stale)} of {len(result.files)} files"
    if not result.stale:
        return Document(title=f"{result.folder}: fresh", parts=(grid,))
    if result.checked:
        lines = (f"{stale} are missing or not fresh. This writes them: capsaudit report --output {result.folder}",)
        return Document(title=f"{result.folder}: not fresh", parts=(grid, *lines))
    return Document(title=f"{result.folder}: {stale} written, the others were fresh", parts=(grid,))


def _state(result: Report, name: str) -> Cell:
    if name not in result.stale:
        return Cell("fresh", "fresh", "good")
    return Cell("not fresh", "not fresh", "bad") if result.checked else Cell("written", "written", "changed")
