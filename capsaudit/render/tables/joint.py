"""What figures decide together."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import Cell, Column, Document, Grid, figure, number, verdict, word
from capsaudit.render.tables.base import setting
from capsaudit.results import Excluded, Joint, Question


def joint(result: Joint) -> Document:
    """The figures, and the questions that they answer."""
    figures = Grid(
        name="figures",
        columns=(
            Column("claim", hyphens=True),
            Column("about", hyphens=True),
            Column("stated", right=True),
            Column("total", right=True),
            Column("verdict"),
        ),
        rows=tuple(
            (word(f.claim), word(f.about), figure(f.stated), number(f.total), verdict(f.verdict))
            for f in result.figures
        ),
    )
    questions = Grid(
        name="questions",
        columns=(
            Column("question"),
            Column("about", wraps=True),
            Column("allowed", wraps=True),
            Column("excluded", wraps=True),
        ),
        rows=tuple(map(_question_row, result.questions)),
    )
    answer = "they can all be true together" if result.satisfied else "no interpretation makes all of them true"
    whose = " and ".join(result.sources)
    return Document(
        title=f"The {len(result.figures)} figures of the {whose}, and the questions that its text leaves open: {answer}",
        parts=(figures, questions, *_sentences(result)),
        data=lambda: _data(result),
    )


def _question_row(question: Question) -> tuple[Cell, ...]:
    excluded = "\n".join(
        f"{setting(each.value)}: {each.rounds_to} instead of {each.stated}" for each in question.excluded
    )
    allowed = ", ".join(map(setting, question.allowed))
    return (
        word(question.knob),
        word(", ".join(question.about)),
        Cell(allowed or "none", allowed, "" if question.decided else "changed"),
        word(excluded or "nothing"),
    )


def _data(result: Joint) -> Grid:
    columns = tuple(map(Column, ("knob", "about", "value", "allowed", "excluded_by", "total", "rounds_to")))
    rows: list[tuple[Cell, ...]] = [
        (word(q.knob), word(" ".join(q.about)), word(setting(value)), word("yes"), word(None), number(None), word(None))
        for q in result.questions
        for value in q.allowed
    ]
    rows += [
        (word(q.knob), word(" ".join(q.about)), *_excluded_data(each)) for q in result.questions for each in q.excluded
    ]
    return Grid(name="questions", columns=columns, rows=tuple(rows))


def _excluded_data(each: Excluded) -> tuple[Cell, ...]:
    return word(setting(each.value)), word("no"), word(" ".join(each.by)), number(each.total), word(each.rounds_to)


def _sentences(result: Joint) -> Iterator[str]:
    for question in result.questions:
        for each in question.excluded:
            others = f" Also excluded by {' and '.join(each.by[1:])}." if len(each.by) > 1 else ""
            yield (
                f"{question.knob} = {setting(each.value)} ({each.source}) is excluded by {each.stated}: {each.about} would have {each.total:,} "
                f"parameters, which rounds to {each.rounds_to}.{others}"
            )
    undecided = [f"{q.knob} ({' or '.join(map(setting, q.allowed))})" for q in result.questions if not q.decided]
    if undecided and result.satisfied:
        yield f"The figures leave open: {', '.join(undecided)}."
    yield f"{result.examined:,} interpretations were counted, each with the same value of a knob in all networks that the question is about."
