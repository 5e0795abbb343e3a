"""The gate: the statements that fail."""

from __future__ import annotations

from capsaudit.render.document import Cell, Column, Document, Grid, number, shape, word
from capsaudit.render.reasons import because
from capsaudit.results import Check, Failure, Reason


def check(result: Check) -> Document:
    """The failures, and how many statements hold."""
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
    holding, variants = result.checked - len(result.failures), len(result.variants)
    title = "check: " + ("agrees" if result.agrees else "disagrees")
    total = f"{holding:,} of {result.checked:,} statements about {variants:,} variant{'s' * (variants != 1)} hold."
    grid = Grid(name="failures", columns=columns, rows=rows)
    return Document(title=title, parts=(grid, total) if rows else (total, grid))


def failure_sentence(failure: Failure) -> str:
    """A failed statement in one sentence."""
    return f"{failure.what}: expected {_value(failure.expected).text}, found {_value(failure.found).text}"


def _value(value: object) -> Cell:
    match value:
        case bool() | None:
            return word(str(value))
        case int():
            return number(value)
        case [Reason(), *_]:
            return word(because(each for each in value if isinstance(each, Reason)))
        case [tuple() as first, tuple() as second]:
            return word(f"{shape(first).text} → {shape(second).text}")
        case tuple():
            return shape(value)
        case _:
            return word(str(value))
