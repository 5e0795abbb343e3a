"""Training runs."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.document import Cell, Column, Document, Grid, Tone, number, word
from capsaudit.render.reasons import because
from capsaudit.render.tables.base import BLANK
from capsaudit.results import Run, Runs


def train_smoke(result: Runs) -> Document:
    """The runs, and the tensors of each where there are few."""
    columns = (
        Column("variant", hyphens=True),
        Column("loss", right=True),
        Column("accuracy", right=True),
        Column("images/s", right=True),
        Column("peak MiB", right=True),
        Column("counted", right=True),
        Column("updated", right=True),
        Column("verdict", wraps=True),
    )
    grid = Grid(name="runs", columns=columns, rows=tuple(map(_run_row, result.runs)))
    tensors = [_tensors(run) for run in result.runs] if len(result.runs) <= 2 else []
    count = len(result.runs)
    title = f"{count} short training run{'s' * (count != 1)}" + (", interrupted" if result.interrupted else "")
    parts = (grid, *_sentences(result), *(part for parts in tensors for part in parts))
    return Document(title=title, parts=parts, data=lambda: _run_data(result))


def _run_data(result: Runs) -> Grid:
    """One value a column."""
    rows = tuple(
        tuple(Cell(str(v), None if v is None else str(v)) for v in _run_values(run).values()) for run in result.runs
    )
    return Grid(name="runs", columns=tuple(map(Column, _run_values(result.runs[0]))) if rows else (), rows=rows)


def _run_values(run: Run) -> dict[str, object]:
    return {
        "variant": run.variant,
        "loss_first": run.loss.first,
        "loss_last": run.loss.last,
        "accuracy_before": run.accuracy.before,
        "accuracy_after": run.accuracy.after,
        "images_per_second": run.images_per_second,
        "peak_memory_bytes": run.peak_memory_bytes,
        "counted": run.counted,
        "updated": run.updated,
        "verdict": run.verdict,
    }


def _run_row(run: Run) -> tuple[Cell, ...]:
    tone: Tone = "good" if run.verdict == "learns" else "bad"
    return (
        word(run.variant),
        word(f"{_loss(run.loss.first)}\n→ {_loss(run.loss.last)}"),
        word(f"{run.accuracy.before:.1%}\n→ {run.accuracy.after:.1%}"),
        number(round(run.images_per_second)),
        number(round(run.peak_memory_bytes / 2**20)),
        number(run.counted),
        number(run.updated, tone="" if run.updated == run.counted else "bad"),
        Cell(run.verdict, run.verdict, tone),
    )


def _loss(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4f}"


def _sentences(result: Runs) -> Iterator[str]:
    for run in result.runs:
        how = f"{run.steps:,} steps with batch size {run.batch_size:,}, seed {run.seed}, on {run.device}"
        yield f"{run.variant}: {run.verdict}, {because(run.reasons)}. {how}."
    for data in dict.fromkeys(run.data for run in result.runs):
        yield f"Data: {data}."
    yield from _what_was_interrupted(result)
    if files := [picture.file for picture in result.pictures if picture.file]:
        yield f"Pictures: {', '.join(files)}."
    for picture in result.pictures:
        if picture.reasons:
            yield f"{picture.variant}, {picture.kind}: not drawn, because {because(picture.reasons)}."


def _what_was_interrupted(result: Runs) -> Iterator[str]:
    if (run := result.unfinished) is not None:
        losses = f", loss {_loss(run.loss.first)} → {_loss(run.loss.last)}" if run.steps else ""
        yield f"{run.variant}: interrupted after {run.steps:,} of {run.planned:,} steps{losses}; no verdict."
    if result.not_started:
        yield f"Not started: {', '.join(result.not_started)}."


def _tensors(run: Run) -> tuple[str, Grid]:
    columns = (
        Column(run.variant),
        Column("counted", right=True),
        Column("reached"),
        Column("updated", right=True),
        Column("values changed", right=True),
    )
    rows = tuple(
        (word(p.name), number(p.count), word("yes" if p.reached else "no"), number(p.updated), number(p.values_changed))
        for p in run.parameters
    )
    total = (
        word("total", tone="total"),
        number(run.counted, tone="total"),
        BLANK,
        number(run.updated, tone="total"),
        BLANK,
    )
    return f"Tensors of {run.variant}:", Grid(
        name=f"tensors of {run.variant}", columns=columns, rows=(*rows, total), rules=(len(rows),)
    )
