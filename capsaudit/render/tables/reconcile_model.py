"""A figure and the ways to count a model that have it, beside what chance would give."""

from __future__ import annotations

import json
from collections.abc import Iterator

from msgspec import to_builtins

from capsaudit.published import parse_figure
from capsaudit.render.document import Cell, Column, Document, Grid, number, separated, word
from capsaudit.render.selections import chance, counted_as, explanation_text
from capsaudit.render.tables.reconcile import TONES
from capsaudit.results import ModelExplanation, ModelReconciliation


def reconcile_model(result: ModelReconciliation) -> Document:
    """The explanations, then what was tried, and how the first would be stated in a claim."""
    columns = (
        Column("changes", right=True),
        Column("counted", wraps=True),
        Column("total", right=True),
        Column("evidence"),
    )
    rows = tuple(map(_row, result.explanations))
    found = (Grid(name="explanations", columns=columns, rows=rows),) if rows else ()
    return Document(title=_title(result), parts=(*found, *_sentences(result)), data=lambda: _data(result))


def _title(result: ModelReconciliation) -> str:
    counted = f"{result.target}: {result.total:,} trainable"
    if not result.explanations:
        return f"{counted}; no interpretation rounds to {separated(result.figure)} ({result.examined:,} tried)"
    return f"{counted}; {explanation_text(result.figure, result.explanations[0])}"


def _row(explanation: ModelExplanation) -> tuple[Cell, ...]:
    return (
        number(len(explanation.changes)),
        word(counted_as(explanation.changes)),
        number(explanation.total),
        Cell(explanation.evidence, explanation.evidence, TONES[explanation.evidence]),
    )


def _sentences(result: ModelReconciliation) -> Iterator[str]:
    for group in result.by_changes:
        made = {0: "no change", 1: "one change"}.get(group.changes, f"{group.changes} changes")
        yield f"With {made}: {group.found:,} found, {chance(group.expected_by_chance)} expected by chance."
    if result.found > len(result.explanations):
        yield f"{len(result.explanations):,} of {result.found:,} are listed; --top lists more."
    if result.explanations:
        yield f"{result.examined:,} tried, with at most {result.changes_at_most} changes."
        yield from _as_claim(result.figure, result.explanations[0])
    yield from result.notes


def _as_claim(figure: str, explanation: ModelExplanation) -> Iterator[str]:
    """The first explanation as a file of claims would state it, if that has keys for it."""
    keys = {"stated": figure} | to_builtins(explanation.selection)
    readings = {change.knob for change in explanation.changes}
    if "counting.rounding" in readings:
        keys["rounding"] = "cut"
    elif "counting.trailing_zeros" in readings:
        keys["digits"] = max(2, len(str(parse_figure(figure).value).rstrip("0")))
    if explanation.selection is not None and "counting.thousands" not in readings:
        yield f"As a claim: {{ {', '.join(f'{key} = {json.dumps(value, ensure_ascii=False)}' for key, value in keys.items())} }}."


def _data(result: ModelReconciliation) -> Grid:
    """One value a column."""
    names = ("changes", "counted", "total", "rounds_to", "evidence", "expected_by_chance")
    rows = tuple(
        (
            number(len(each.changes)),
            word(counted_as(each.changes)),
            number(each.total),
            word(each.rounds_to),
            word(each.evidence),
            word(f"{each.expected_by_chance:.3g}"),
        )
        for each in result.explanations
    )
    return Grid(name="explanations", columns=tuple(map(Column, names)), rows=rows)
