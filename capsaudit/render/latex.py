r"""Results as LaTeX for papers: tables with the rules of booktabs, to be read with \input.

A table is a float, or a longtable, which continues on the next page, where it has more rows than a page. All of it is text in UTF-8,
the default of LaTeX since 2018; signs that its default fonts lack are set in mathematics.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from capsaudit.errors import CapsauditError
from capsaudit.render.document import Cell, Column, Grid
from capsaudit.render.tables import document
from capsaudit.results import Claims, Comparison, Count, Result

_PACKAGES = "% \\usepackage{array,booktabs,longtable}"
_COLUMNS = 6
"""How many columns of a table that may be divided go beside each other."""
_ROWS = 20
"""Tables with more rows continue on the next page."""
_CHARACTER, _GAP = 0.0125, 0.035
"""The widths of a character in footnote size and of the space between two columns, as shares of a line of the class article."""

_SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "`": "\\textasciigrave{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "\\symbol{34}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",  # behind the end of a row, the first and the last would be its arguments
    "×": "$\\times$",
    "·": "$\\cdot$",
    "−": "$-$",
    "→": "$\\to$",
    "≠": "$\\neq$",
    "≤": "$\\leq$",
    "≥": "$\\geq$",
    "²": "$^2$",
    "—": "\\textemdash{}",
    "–": "\\textendash{}",
    "…": "\\dots{}",
    "û": "\\^u",
}
_JOINED = re.compile(r"(?<=-)(?=-)|(?<=')(?=')|(?<=,)(?=,)")
"""Between two characters that LaTeX would print as one: two hyphens are a dash."""


def latex(result: Result) -> str:
    """The tables of a count, a comparison or claims, with the sentences below them.

    Raises:
        CapsauditError: a result of another command.
    """
    if not isinstance(result, Count | Comparison | Claims):
        raise CapsauditError(f"{type(result).__name__} has no LaTeX; count, compare and claims do")
    shown = document(result)
    return "\n".join([_PACKAGES, *_parts(shown.title, shown.parts)])


def _parts(title: str, parts: tuple[object, ...]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Grid):
            for piece in _pieces(part):
                yield from _table(title, piece)
        elif isinstance(part, str):
            yield f"\n{escape(part)}"


def _pieces(grid: Grid) -> Iterator[Grid]:
    """A grid that may be divided in as many tables as it needs; the first column is in each."""
    if not grid.splits:
        yield grid
        return
    for start in range(1, len(grid.columns), _COLUMNS - 1):
        yield grid.cut(start, min(start + _COLUMNS - 1, len(grid.columns)))


def _table(title: str, grid: Grid) -> Iterator[str]:
    caption, columns = f"\\caption{{{escape(title)}}}", "".join(_specifiers(grid))
    head = ["\\toprule", _row([_heading(column) for column in grid.columns]), "\\midrule"]
    if len(grid.rows) > _ROWS:
        yield from ("\\begingroup\\footnotesize", f"\\begin{{longtable}}{{{columns}}}", f"{caption}\\\\")
        yield from (*head, "\\endhead", *_body(grid), "\\bottomrule", "\\end{longtable}", "\\endgroup")
    else:
        yield from ("\\begin{table}", "\\centering\\footnotesize", caption, f"\\begin{{tabular}}{{{columns}}}")
        yield from (*head, *_body(grid), "\\bottomrule", "\\end{tabular}", "\\end{table}")


def _specifiers(grid: Grid) -> Iterator[str]:
    """Columns that wrap have the room that the others leave, in proportion to the lengths of their texts."""
    texts = [[cell.text for cell in column] for column in zip(*grid.rows, strict=True)]
    longest = [max((len(line) for text in each for line in text.split("\n")), default=1) for each in texts]
    wraps = [_wraps(column) for column in grid.columns]
    taken = sum(size * _CHARACTER for size, wrapped in zip(longest, wraps, strict=True) if not wrapped)
    room = max(1 - taken - _GAP * len(grid.columns), 0.3)
    weights = [min(size, 60) if wrapped else 0 for size, wrapped in zip(longest, wraps, strict=True)]
    for column, weight in zip(grid.columns, weights, strict=True):
        yield (
            f">{{\\raggedright\\arraybackslash}}p{{{room * weight / sum(weights):.2f}\\linewidth}}"
            if weight
            else "r"
            if column.right
            else "l"
        )


def _wraps(column: Column) -> bool:
    return column.wraps or column.hyphens


def _heading(column: Column) -> str:
    """A name over numbers breaks behind its hyphens, as in a terminal."""
    return _stacked(escape(column.name).replace("-", "-\n"), right=True) if column.right else escape(column.name)


def _body(grid: Grid) -> Iterator[str]:
    for place, row in enumerate(grid.rows):
        if place in grid.rules:
            yield "\\midrule"
        yield _row([_cell(column, cell) for column, cell in zip(grid.columns, row, strict=True)])


def _row(cells: list[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(column: Column, cell: Cell) -> str:
    text = "\n".join(map(escape, cell.text.split("\n")))
    return text.replace("\n", "\\newline ") if _wraps(column) else _stacked(text, right=column.right)


def _stacked(text: str, *, right: bool) -> str:
    """Lines above each other in a column that does not wrap."""
    lines = text.replace("\n", "\\\\")
    return lines if lines == text else f"\\shortstack[{'r' if right else 'l'}]{{{lines}}}"


def escape(text: str) -> str:
    r"""Text that is no command to LaTeX, on one line.

    >>> print(escape("50% of a_b -- 5 × 3"))
    50\% of a\_b -{}- 5 $\times$ 3
    """
    return "{}".join(
        "".join(_SPECIAL.get(character, character) for character in piece) for piece in _JOINED.split(text)
    )
