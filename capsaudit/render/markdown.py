"""Results as GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from capsaudit.render.document import Cell, Grid, Waterfall
from capsaudit.render.tables import document
from capsaudit.results import Result

_MARKUP = re.compile(r"[\\`*|<>\[\]$~&]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
_LINKED = re.compile(r"@|#(?=\d)")
_START = re.compile(r"^(\d*)([-+=#.)])(?=\s|[-+=#]|$)")
"""The beginning of a heading, a list or a rule."""


def as_markdown(result: Result) -> str:
    """A result as Markdown: a heading, its tables, its sentences. Waterfalls are pictures and are left out."""
    shown = document(result)
    return "\n\n".join([f"### {_escaped(shown.title)}", *fragments(shown.parts)])


def fragments(parts: Iterable[Grid | Waterfall | str]) -> Iterator[str]:
    """Sentences and tables, each as Markdown."""
    for part in parts:
        if isinstance(part, str):
            yield _START.sub(r"\1\\\2", _escaped(part).strip())
        elif isinstance(part, Grid) and part.rows:
            yield "\n".join(_table(part))


def _table(grid: Grid) -> Iterator[str]:
    yield _line(_escaped(column.name) for column in grid.columns)
    yield _line("---:" if column.right else "---" for column in grid.columns)
    for row in grid.rows:
        yield _line(_cell(cell) for cell in row)


def _line(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = _escaped(cell.text).strip().replace("\n", "<br>")
    return f"**{text}**" if text and cell.tone in ("changed", "total", "bad") else text


def _escaped(text: str) -> str:
    """Text that cannot end its cell, become markup or a link. GitHub links users and issues even behind a backslash."""
    linked = _LINKED.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return _MARKUP.sub(r"\\\g<0>", linked)
