"""What became of the report's files."""

from __future__ import annotations

from capsaudit.render.document import Cell, Column, Document, Grid, word
from capsaudit.results import Report


def report(result: Report) -> Document:
    """The files with their state."""
    rows = tuple((word(name), _state(result, name)) for name in result.files)
    grid = Grid(name="files", columns=(Column("file"), Column("state")), rows=rows)
    outdated = f"{len(result.outdated)} of {len(result.files)} files"
    if not result.outdated:
        return Document(title=f"{result.folder}: up to date", parts=(grid,))
    if result.checked:
        hint = f"{outdated} are missing or out of date. To update them: capsaudit report --output {result.folder}"
        return Document(title=f"{result.folder}: out of date", parts=(grid, hint))
    return Document(title=f"{result.folder}: {outdated} written, the others were up to date", parts=(grid,))


def _state(result: Report, name: str) -> Cell:
    if name not in result.outdated:
        return Cell("up to date", "up to date", "good")
    if result.checked:
        return Cell("out of date", "out of date", "bad")
    return Cell("written", "written", "changed")
