"""The gate: what does not hold."""

from __future__ import annotations

from capsaudit.render.document import Cell, Column, Document, Grid, number, shape, word
from capsaudit.render.tables.base import draw
from capsaudit.results import Check


@draw.register(Check)
def _check(result: Check) -> Document:
    columns = (
        Column("variant"),
        Column("layer"),
        Column("what", wraps=True),
        Column("expected", wraps=True),
        Column("found", wraps=True),
    )
    rows = tuple(
        (word(f.variant), word(f.layer), word(f.what), _value(f.expected), _value(f.found)) for f in result.failures
    )
    held = result.checked - len(result.failures)
    title = "check: " + ("agrees" if result.agrees else "disagrees")
    total = f"{held:,} of {result.checked:,} statements about {len(result.variants):,} variants hold."
    grid = Grid(columns=columns, rows=rows)
    return Document(title=title, parts=(grid, total) if rows else (total, grid))


def _value(value: object) -> Cell:
    match value:
        case bool() | None:
            return word(str(value))
        case int():
            return number(value)
        case [tuple() as first, tuple() as second]:
            return word(f"{shape(first).text} → {shape(second).text}")
        case tuple():
            return shape(value)
        case _:
            return word(str(value))
