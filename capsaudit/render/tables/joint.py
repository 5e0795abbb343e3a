"""What figures decide together."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import Cell, Column, Document, Grid, number, verdict, word
from capsaudit.render.tables.base import draw, setting
from capsaudit.results import Excluded, Joint, Question


@draw.register(Joint)
def _joint(result: Joint) -> Document:
    figures = Grid(
        columns=(
            Column("claim", hyphens=True),
            Column("about", hyphens=True),
            Column("stated", right=True),
            Column("total", right=True),
            Column("verdict"),
        ),
        rows=tuple(
            (
                word(f.claim),
                word(f.about),
                word(f.stated),
                number(f.total),
                verdict("agrees" if f.agrees else "disagrees"),
            )
            for f in result.figures
        ),
    )
    questions = Grid(
        columns=(
            Column("question"),
            Column("asked of", wraps=True),
            Column("allowed", wraps=True),
            Column("excluded", wraps=True),
        ),
        rows=tuple(map(_question_row, result.questions)),
    )
    answer = "they can all be true together" if result.satisfied else "no reading makes all of them true"
    whose = " and ".join(result.sources)
    return Document(
        title=f"What the {len(result.figures)} figures of the {whose} say about the questions that its text leaves open: {answer}",
        parts=(figures, questions, *_joint_lines(result)),
        data=lambda: _question_data(result),
    )


def _question_row(question: Question) -> tuple[Cell, ...]:
    excluded = "\n".join(
        f"{setting(each.value)}: by {each.stated}, would print {each.prints_as}" for each in question.excluded
    )
    allowed = ", ".join(map(setting, question.allowed))
    return (
        word(question.knob),
        word(", ".join(question.of)),
        Cell(allowed or "none", allowed, "" if question.decided else "changed"),
        word(excluded or "nothing"),
    )


def _question_data(result: Joint) -> Grid:
    columns = tuple(map(Column, ("knob", "of", "value", "allowed", "excluded_by", "total", "prints_as")))
    rows: list[tuple[Cell, ...]] = [
        (word(q.knob), word(" ".join(q.of)), word(setting(value)), word("yes"), word(None), number(None), word(None))
        for q in result.questions
        for value in q.allowed
    ]
    rows += [
        (word(q.knob), word(" ".join(q.of)), *_excluded_data(each)) for q in result.questions for each in q.excluded
    ]
    return Grid(columns=columns, rows=tuple(rows))


def _excluded_data(each: Excluded) -> tuple[Cell, ...]:
    return word(setting(each.value)), word("no"), word(" ".join(each.by)), number(each.total), word(each.prints_as)


def _joint_lines(result: Joint) -> Iterator[str]:
    for question in result.questions:
        for each in question.excluded:
            yield (
                f"{question.knob} = {setting(each.value)} ({each.source}) is excluded by {each.stated}: {each.about} would have {each.total:,} and "
                f"print as {each.prints_as}." + (f" Excluded by {_others(each)} as well." if len(each.by) > 1 else "")
            )
    undecided = [f"{q.knob} ({' or '.join(map(setting, q.allowed))})" for q in result.questions if not q.decided]
    if undecided and result.satisfied:
        yield f"No figure can decide: {', '.join(undecided)}."
    yield f"{result.examined:,} readings were counted, each knob as every network answers it alike."


def _others(each: Excluded) -> str:
    return " and ".join(each.by[1:])
