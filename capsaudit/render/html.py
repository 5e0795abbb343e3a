"""Results as HTML fragments, for notebooks. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from capsaudit.render.document import Cell, Column, Grid, Tone
from capsaudit.render.tables import document
from capsaudit.results import Result

_TONES: dict[Tone, str] = {
    "good": "color:#18794e",
    "bad": "color:#c62a2f",
    "more": "color:#0b62a3",
    "fewer": "color:#8f5600",
    "changed": "font-weight:bold",
    "total": "font-weight:bold",
    "": "",
}


def html(result: Result) -> str:
    """A `<section>` with a heading, tables with header cells, and the sentences below them."""
    shown = document(result)
    parts = [f"<h4>{escape(shown.title)}</h4>"]
    for part in shown.parts:
        if isinstance(part, str):
            parts.append(f"<p>{escape(part)}</p>")
        elif isinstance(part, Grid) and part.rows:
            parts.append("".join(_table(part)))
    return f"<section>{''.join(parts)}</section>"


def _table(grid: Grid) -> Iterator[str]:
    heads = "".join(f'<th scope="col">{escape(column.name)}</th>' for column in grid.columns)
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for row in grid.rows:
        first, *rest = row
        cells = "".join(_cell(column, cell) for column, cell in zip(grid.columns[1:], rest, strict=True))
        yield f'<tr><th scope="row">{escape(first.text)}</th>{cells}</tr>'
    yield "</tbody></table>"


def _cell(column: Column, cell: Cell) -> str:
    style = ";".join(filter(None, [_TONES[cell.tone], "text-align:right" if column.right else "text-align:left"]))
    return f'<td style="{style}">{escape(cell.text).replace(chr(10), "<br>")}</td>'
