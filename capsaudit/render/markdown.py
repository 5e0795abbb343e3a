"""Documents as GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from capsaudit.render.document import Cell, Document, Grid


def markdown(document: Document) -> str:
    """The document as Markdown: a heading, its tables, its sentences. Waterfalls are pictures and are left out."""
    parts = [f"### {_escaped(document.title)}"]
    for part in document.parts:
        if isinstance(part, str):
            parts.append(_escaped(part))
        elif isinstance(part, Grid) and part.rows:
            parts.append("\n".join(_table(part)))
    return "\n\n".join(parts)


def _table(grid: Grid) -> Iterator[str]:
    yield _line(_escaped(column.name) for column in grid.columns)
    yield _line("---:" if column.right else "---" for column in grid.columns)
    for row in grid.rows:
        yield _line(_cell(cell) for cell in row)


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = _escaped(cell.text).replace("\n", "<br>")
    return f"**{text}**" if text and cell.tone in ("changed", "total", "bad") else text


def _escaped(text: str) -> str:
    """Text that cannot break out of its cell or turn into markup."""
    return re.sub(r"([\\`*|<>\[\]])", r"\\\1", text)
