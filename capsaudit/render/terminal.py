"""Documents for a terminal, a pipe or a file: rich tables where they fit, split tables or plain records where they do not.

No number is ever cut short: a table is drawn only where every cell fits.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from capsaudit.render.document import ABSENT, Bar, Cell, Column, Document, Grid, Tone, Waterfall
from capsaudit.render.tables import document
from capsaudit.results import Result

STYLES: dict[Tone, str] = {
    "good": "green",
    "bad": "red",
    "more": "cyan",
    "fewer": "magenta",
    "changed": "yellow",
    "total": "bold",
    "": "",
}

_LINES = Box("    \n    \n ── \n    \n ── \n ── \n    \n    \n")
_GAP = 1
_MARGIN = 1


class PipeConsole(Console):
    """A console that raises an error when its pipe is closed; rich would exit with 1, which here means `disagrees`."""

    def on_broken_pipe(self) -> None:
        """Raise it, as any other stream does."""
        raise BrokenPipeError


def plain(result: Result, *, width: int = 120) -> str:
    """A result as a terminal of this width without colours shows it."""
    stream = io.StringIO()
    show(document(result), PipeConsole(file=stream, highlight=False, width=width, color_system=None))
    return stream.getvalue().rstrip()


def show(shown: Document, console: Console | None = None) -> None:
    """Print a document on standard output, without colour or control codes where that is no terminal."""
    console = console or PipeConsole(file=sys.stdout, highlight=False)
    console.print(Text(shown.title, style="bold"), soft_wrap=True)
    for part in shown.parts:
        match part:
            case str():
                console.print(Text(part))
            case Waterfall():
                for line, style in draw_waterfall(part, console.width):
                    console.print(Text(line, style=STYLES[style]), soft_wrap=True)
            case Grid() if part.rows:
                _show_grid(part, console)


def _show_grid(grid: Grid, console: Console) -> None:
    for piece in _fitting(grid, console.width):
        if _least_width(piece) <= console.width:
            console.print(_table(piece, console.width))
        else:
            for line in _records(piece):
                console.print(line, soft_wrap=True)


def _fitting(grid: Grid, width: int) -> Iterator[Grid]:
    """The grid in as many pieces as the width asks for; each repeats the first column."""
    if not grid.splits:
        yield grid
        return
    start = 1
    for end in range(2, len(grid.columns) + 1):
        if end == len(grid.columns) or _least_width(grid.cut(start, end + 1)) > width:
            yield grid.cut(start, end)
            start = end


def _least_width(grid: Grid) -> int:
    """The least width of a table of this grid."""
    return _whole_width([_column_width(grid, i, wrapped=True) for i in range(len(grid.columns))])


def _whole_width(widths: list[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1) + 2 * _MARGIN


def _column_width(grid: Grid, place: int, *, wrapped: bool) -> int:
    """The width of a column, if it wraps with every word on a line of its own."""
    column = grid.columns[place]
    texts = [_heading(column), *(row[place].text for row in grid.rows)]
    pieces = (piece for text in texts for piece in _pieces(column, text, wrapped=wrapped))
    return max(map(cell_len, pieces), default=0)


def _pieces(column: Column, text: str, *, wrapped: bool) -> list[str]:
    if wrapped and column.hyphens:
        return text.replace("-", "- ").split()
    return text.split() if wrapped and column.wraps else text.split("\n")


def _widths(grid: Grid, width: int) -> list[int]:
    """Columns that wrap are narrowed, the widest first; the others never are. (rich itself would cut those that cannot wrap.)"""
    places = range(len(grid.columns))
    least = [_column_width(grid, i, wrapped=True) for i in places]
    widths = [_column_width(grid, i, wrapped=False) for i in places]
    while _whole_width(widths) > width:
        widest = max((i for i in places if widths[i] > least[i]), key=lambda i: widths[i])
        widths[widest] -= 1
    return widths


def _heading(column: Column) -> str:
    """A name breaks at its hyphens, as `multimnist-released-code` does over three lines, and over a number at its spaces."""
    name = column.name.replace("-", "-\n")
    return name.replace(" ", "\n") if column.right else name


def _shown(column: Column, cell: Cell, width: int) -> str:
    """The text of a cell; in a column of names that had to be narrowed, broken at hyphens."""
    return _broken(cell.text, width) if column.hyphens else cell.text


def _broken(text: str, width: int) -> str:
    """Names in lines of this width, broken behind hyphens and spaces. (textwrap does not break `cifar10-released`, after a digit.)"""
    lines = [""]
    for piece in re.split(r"(?<=[- ])", text):
        if lines[-1] and cell_len(f"{lines[-1]}{piece}".rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _table(grid: Grid, width: int) -> Table:
    table = Table(box=_LINES, padding=(0, 0), pad_edge=True, show_edge=True)
    widths = _widths(grid, width)
    for column, columns in zip(grid.columns, widths, strict=True):
        table.add_column(
            Text(_heading(column)),
            justify="right" if column.right else "left",
            no_wrap=not column.wraps,
            width=columns,
        )
    for position, row in enumerate(grid.rows):
        table.add_row(
            *(
                Text(_shown(column, cell, columns), style=STYLES[cell.tone])
                for column, cell, columns in zip(grid.columns, row, widths, strict=True)
            ),
            end_section=position + 1 in grid.rules,
        )
    return table


def _records(grid: Grid) -> Iterator[Text]:
    """Every row as lines of `column  value`, for terminals too narrow for the table."""
    longest = max(cell_len(column.name) for column in grid.columns[1:])
    for row in grid.rows:
        yield Text(row[0].text, style="bold")
        for column, cell in zip(grid.columns[1:], row[1:], strict=True):
            if cell.text not in ("", ABSENT):
                yield Text(f"  {column.name:<{longest}}  {cell.text.replace(chr(10), ' ')}", style=STYLES[cell.tone])


_LEAST_BAR = 10
_FILL: dict[Tone, str] = {"more": "█", "fewer": "▒", "total": "━"}


def draw_waterfall(waterfall: Waterfall, width: int) -> Iterator[tuple[str, Tone]]:
    """Lines and their tones. Steps up are solid, steps down shaded; a step too small to see is one character wide.

    In a terminal too narrow for bars nothing is drawn: the table above has the same numbers.
    """
    labels = max(cell_len(bar.label) for bar in waterfall.bars)
    texts = max(cell_len(bar.text) for bar in waterfall.bars)
    room = min(width - labels - texts - 4, 60)
    if room < _LEAST_BAR:
        return
    top = max(max(bar.start, bar.end) for bar in waterfall.bars)
    for bar in waterfall.bars:
        offset, length = _placed(bar, top, room)
        field = (" " * offset + _FILL.get(bar.tone, "│") * length).ljust(room)
        yield f" {bar.label:<{labels}} {field} {bar.text:>{texts}}", bar.tone


def _placed(bar: Bar, top: int, room: int) -> tuple[int, int]:
    """Offset and length of a bar in characters."""
    low, high = sorted((bar.start, bar.end))
    offset = low * room // max(top, 1)
    length = max((high - low) * room // max(top, 1), 1)
    return min(offset, room - length), length
