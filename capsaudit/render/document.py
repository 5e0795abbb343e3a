"""Documents of tables: what every format draws from. A cell knows its text and its raw value; it knows nothing of a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from capsaudit.results import ClaimVerdict

ABSENT = "—"

Tone = Literal["good", "bad", "more", "fewer", "changed", "total", ""]
"""`more` and `fewer`: the direction of a difference, which is neither good nor bad."""


class Cell(Struct, frozen=True):
    """`text` is for people; `raw` is for programs. `tone` says what colours and weights express."""

    text: str
    raw: int | str | None
    tone: Tone = ""


class Column(Struct, frozen=True):
    """Numbers are aligned right. Columns of prose wrap between words; columns of names may break at their hyphens."""

    name: str
    right: bool = False
    wraps: bool = False
    hyphens: bool = False


class Grid(Struct, frozen=True):
    """A table with the name that it has within its document. `rules` says before which rows a line is drawn. With `splits`, it may be
    divided between columns, the first one repeated.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    rules: tuple[int, ...] = ()
    splits: bool = False

    def cut(self, start: int, end: int) -> Grid:
        """The first column and those from `start` up to `end`, without the rows that have nothing there."""
        return Grid(
            name=self.name,
            columns=(self.columns[0], *self.columns[start:end]),
            rows=tuple((row[0], *row[start:end]) for row in self.rows),
            rules=self.rules,
        ).without_empty_rows()

    def without_empty_rows(self) -> Grid:
        """The rows with at least one value; lines stay where they were."""
        kept = [i for i, row in enumerate(self.rows) if any(cell.text != ABSENT for cell in row[1:])]
        rules = tuple(sum(i < rule for i in kept) for rule in self.rules)
        return msgspec.structs.replace(self, rows=tuple(self.rows[i] for i in kept), rules=rules)


class Bar(Struct, frozen=True):
    """A bar of a waterfall, from one total to another."""

    label: str
    start: int
    end: int
    text: str
    tone: Tone = ""


class Waterfall(Struct, frozen=True):
    """Bars on one axis, which begins at zero."""

    bars: tuple[Bar, ...]


class Document(Struct, frozen=True):
    """A title, then tables and sentences in order. `data` gives the table for programs, where it is not the first one."""

    title: str
    parts: tuple[Grid | Waterfall | str, ...]
    data: Callable[[], Grid] | None = None

    @property
    def main_table(self) -> Grid:
        """The table that represents the result where there is room for one."""
        return self.data() if self.data else next(part for part in self.parts if isinstance(part, Grid))

    def table(self, name: str) -> Grid:
        """The table of this name."""
        return next(part for part in self.parts if isinstance(part, Grid) and part.name == name)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything that is no table."""
        return tuple(part for part in self.parts if isinstance(part, str))


def number(value: int | None, *, tone: Tone = "", signed: bool = False) -> Cell:
    """A count, with thousands separators.

    >>> number(8_238_608).text, number(11_520, signed=True).text, number(-11_520, signed=True).text
    ('8,238,608', '+11,520', '−11,520')
    """
    if value is None:
        return Cell(ABSENT, None, tone)
    text = f"{abs(value):,}"
    sign = "−" if value < 0 else "+" if signed and value else ""
    return Cell(sign + text, value, tone)


def word(text: str | None, *, tone: Tone = "") -> Cell:
    """A text, or a dash where there is none."""
    return Cell(ABSENT if text is None else text, text, tone)


def figure(stated: str | None) -> Cell:
    """A figure as stated, with thousands separators where it is a whole number."""
    return Cell(ABSENT if stated is None else separated(stated), stated)


def separated(stated: str) -> str:
    """The text of a figure, or of several parts joined by commas, with thousands separators in whole numbers.

    >>> separated("11.36M"), separated("8238608"), separated("82432, input 10×16")
    ('11.36M', '8,238,608', '82,432, input 10×16')
    """
    return ", ".join(f"{int(part):,}" if part.isdecimal() else part for part in stated.split(", "))


def shape(sizes: Sequence[int]) -> Cell:
    """A shape as people write it: 256×20×20."""
    text = "×".join(map(str, sizes))
    return Cell(text, text)


def verdict(text: ClaimVerdict) -> Cell:
    """A verdict in its tone."""
    return Cell(text, text, _TONES[text])


_TONES: dict[ClaimVerdict, Tone] = {
    "agrees": "good",
    "approximate": "changed",
    "disagrees": "bad",
    "unstated": "",
    "misattributed": "bad",
    "contradicted": "bad",
    "outdated": "bad",
    "not checkable": "",
}
