"""Full training runs, and what they would take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from capsaudit.render.document import Cell, Column, Document, Grid, word
from capsaudit.render.reasons import because
from capsaudit.render.tables.base import setting
from capsaudit.results import TrainingEstimate, TrainingRun
from capsaudit.spec import Value


def train(result: TrainingRun) -> Document:
    """The errors, and the settings that they depend on."""
    test, chosen = result.test_error, result.chosen_epoch
    rows = [_error_row("last", result.epochs, test.last)]
    if test.chosen is not None and chosen is not None:
        rows.append(_error_row("chosen by the validation error", chosen, test.chosen))
    columns = (Column("weights", wraps=True), Column("epoch", right=True), Column("test error", right=True))
    grid = Grid(name="errors", columns=columns, rows=tuple(rows))
    title = f"{result.variant}: {result.epochs:,} epoch{'s' * (result.epochs != 1)} of training"
    return Document(title=title, parts=(grid, *_sentences(result), _settings(result.settings)))


def train_dry_run(result: TrainingEstimate) -> Document:
    """What a run would take."""
    left = result.steps - result.steps_done
    rows = (
        ("steps", f"{result.steps:,}", result.steps),
        ("steps done", f"{result.steps_done:,}", result.steps_done),
        ("training images an epoch", f"{result.training_images:,}", result.training_images),
        ("validation images", f"{result.validation_images:,}", result.validation_images),
        ("test images", f"{result.test_images:,}", result.test_images),
        ("images/s in training", f"{result.images_per_second:,.0f}", round(result.images_per_second)),
        ("time of the steps left", duration(result.training_seconds), round(result.training_seconds)),
        ("time of evaluation", duration(result.evaluation_seconds), round(result.evaluation_seconds)),
        ("peak memory", _megabytes(result.peak_memory_bytes), result.peak_memory_bytes),
        ("disk", _megabytes(result.disk_bytes), result.disk_bytes),
    )
    grid = Grid(
        name="estimate",
        columns=(Column("what"), Column("estimate", right=True)),
        rows=tuple((word(name), Cell(text, raw)) for name, text, raw in rows),
    )
    title = f"{result.variant}: what {result.epochs:,} epoch{'s' * (result.epochs != 1)} of training would take"
    about = f"{left:,} steps are left; a few were timed for this estimate, and nothing was written to {result.run}."
    return Document(title=title, parts=(grid, about, f"Data: {result.data}.", _settings(result.settings)))


def duration(seconds: float) -> str:
    """Hours, minutes and seconds as people read them.

    >>> duration(59.6), duration(3725)
    ('1:00 min', '1:02:05 h')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def _error_row(name: str, epoch: int, error: float) -> tuple[Cell, ...]:
    return word(name), Cell(f"{epoch:,}", epoch), Cell(f"{error:.2%}", str(error))


def _sentences(result: TrainingRun) -> Iterator[str]:
    yield f"Standard error of the test error: {result.standard_error:.2%}, from {result.test_images:,} test images."
    if result.validation_error is None:
        yield "No training images were held out, so no epoch was chosen."
    else:
        held_out = f"on {result.validation_images:,} training images that were held out"
        yield f"The chosen epoch has the lowest validation error, {result.validation_error:.2%} {held_out}."
    yield (
        f"{result.steps:,} steps in {duration(result.training_seconds)}, {result.images_per_second:,.0f} images/s; "
        f"mean loss of an epoch {result.loss.first:.4f} → {result.loss.last:.4f}."
    )
    yield f"Data: {result.data}. Run: {result.run}."
    if files := [picture.file for picture in result.pictures if picture.file]:
        yield f"Pictures: {', '.join(files)}."
    for picture in result.pictures:
        if picture.reasons:
            yield f"{picture.variant}, {picture.kind}: not drawn, because {because(picture.reasons)}."


def _settings(settings: Mapping[str, Value]) -> Grid:
    """Those of the network are in the variant."""
    shown = {name: value for name, value in settings.items() if not name.startswith("network.") and value is not None}
    rows = tuple((word(name), Cell(_value(value), str(value))) for name, value in shown.items())
    return Grid(name="settings", columns=(Column("setting"), Column("value", wraps=True)), rows=rows)


def _value(value: Value) -> str:
    return value[:12] + "…" if isinstance(value, str) and len(value) == 64 else setting(value)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
