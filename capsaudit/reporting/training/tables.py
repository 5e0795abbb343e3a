"""The tables of the page of training runs. Errors are in percent with two digits, as papers print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capsaudit.catalogue import Variant, load_all
from capsaudit.commands.evaluate import standard_error
from capsaudit.data.batches import SHIFT, SHIFT_OF_TWO
from capsaudit.families import family_of
from capsaudit.knobs import changes
from capsaudit.render.document import ABSENT, Cell, Column, Grid, number, word
from capsaudit.render.tables import setting
from capsaudit.reporting.tables import Table
from capsaudit.reporting.training.runs import Epoch, FinishedRun
from capsaudit.reporting.training.stated import PlannedRun, stated_data
from capsaudit.spec import Value
from capsaudit.train.protocol import Protocol

NOT_RUN = "not run"

_SHOWN = {"epochs", "seed", "learning_rate", "decay", "decay_steps", "rate_floor", "decay_to_floor", "validation"}
"""Settings of a protocol that have columns of their own."""


def overview(runs: Sequence[FinishedRun]) -> Table:
    """A row for each planned run, with its results once it is there, and then for each other one."""
    columns = (
        Column("network", wraps=True),
        Column("epochs", right=True),
        Column("seed", right=True),
        Column("test error of the last epoch, %", right=True),
        Column("test error of the chosen epoch, %", right=True),
        Column("chosen epoch", wraps=True),
        Column("images trained on / held out", wraps=True),
        Column("learning rate", wraps=True),
        Column("other settings than the defaults", wraps=True),
        Column("run", hyphens=True),
    )
    return Table("Training runs", Grid(name="training runs", columns=columns, rows=tuple(_rows(runs))))


def _rows(runs: Sequence[FinishedRun]) -> Iterator[tuple[Cell, ...]]:
    left = list(runs)
    for planned in stated_data().planned:
        found = [run for run in left if is_planned(run, planned)]
        left = [run for run in left if run not in found]
        yield from map(_row, found) if found else [_not_run(planned)]
    yield from map(_row, left)


def is_planned(run: FinishedRun, planned: PlannedRun) -> bool:
    """Whether it is this run: the network, its images and so many epochs, with losses, batches and shifts as they are by default."""
    same = (run.settings.protocol.epochs, run.settings.spec) == (planned.epochs, planned.spec)
    return same and run.images == stated_data().mnist and not changed_settings(run)


def _not_run(planned: PlannedRun) -> tuple[Cell, ...]:
    return (word(planned.words), number(planned.epochs), word(None), *[word(NOT_RUN)] * 2, *[word(None)] * 5)


def _row(run: FinishedRun) -> tuple[Cell, ...]:
    protocol, best = run.settings.protocol, run.chosen
    rule = f"{best.epoch:,}, the first with the lowest validation error" if best else "none, nothing was held out"
    return (
        word(network(run)),
        number(protocol.epochs),
        number(protocol.seed),
        error_of(run, run.last),
        error_of(run, best),
        word(rule),
        word(_images(run)),
        word(_rate(protocol)),
        word(changed_settings(run) or None),
        word(run.name),
    )


def network(run: FinishedRun) -> str:
    """The variant with its changed knobs; of a file of one's own, the shipped variant that it is closest to."""
    name, spec = run.settings.variant.partition(" + ")[0], run.settings.spec  # behind it are the settings of --set
    related = [variant for variant in load_all() if family_of(variant.spec) is family_of(spec)]
    start = min(related, key=lambda variant: (variant.id != name, len(changes(variant.spec, spec))))
    words = _with(start, [f"{each.knob} = {setting(each.after)}" for each in changes(start.spec, spec)])
    return words if start.id == name else f"{name}: {words}"


def _with(variant: Variant, knobs: Sequence[str]) -> str:
    return f"{variant.id} with {', '.join(knobs)}" if knobs else variant.id


def error_of(run: FinishedRun, epoch: Epoch | None) -> Cell:
    """The test error of an epoch, with its standard error and the number of images where that is known."""
    if epoch is None:
        return word(None)
    error, images = epoch.test_error, run.images
    if images is None:
        return Cell(f"{100 * error:.2f}", str(error))
    spread, wrong = standard_error(error, images.test_images), round(error * images.test_images)
    counted = f"{wrong:,} image{'s' * (wrong != 1)}"
    return Cell(f"{100 * error:.2f} ± {100 * spread:.2f} ({counted})", str(error))


def _images(run: FinishedRun) -> str:
    held_out, images = run.settings.protocol.validation or 0, run.images
    kind = "two overlaid digits of " if run.settings.images == "multimnist" else ""
    if images is None:
        return f"{kind}{run.settings.data}, {held_out:,} held out"
    return f"{images.training_images - held_out:,} / {held_out:,} of {kind}{images.name}"


def _rate(protocol: Protocol) -> str:
    peak, floor = f"{protocol.learning_rate:g}", f"{protocol.rate_floor:g}"
    if protocol.decay_to_floor:
        return f"{peak}, decays to {floor} over the run"
    return f"{peak}, × {protocol.decay:g} every {protocol.decay_steps:,} steps, not below {floor}"


def changed_settings(run: FinishedRun) -> str:
    """Settings of the protocol that are not the defaults and have no column, and settings that were changed during the run."""
    default = Protocol(epochs=1, shift=SHIFT_OF_TWO if run.settings.images == "multimnist" else SHIFT)
    names = [name for name in Protocol.__struct_fields__ if name not in _SHOWN]
    found = [(name, getattr(run.settings.protocol, name)) for name in names]
    other = [f"{name} = {setting(value)}" for name, value in found if value != getattr(default, name)]
    forks = (
        f"up to step {fork.step:,} {name} = {setting(value)}"
        for fork in run.settings.forks
        for name, value in fork.before.items()
    )
    return ", ".join((*other, *forks))


def shared_settings(runs: Sequence[FinishedRun]) -> Table:
    """The settings that are the same in all runs."""
    rows = tuple((word(name), _value(values[0])) for name, values in _settings(runs).items() if _same(values))
    columns = (Column("setting"), Column("value", wraps=True))
    return Table("Settings that all runs share", Grid(name="shared settings", columns=columns, rows=rows))


def differing_settings(runs: Sequence[FinishedRun]) -> Table:
    """The settings in which runs differ, a column for each run."""
    rows = tuple((word(name), *map(_value, values)) for name, values in _settings(runs).items() if not _same(values))
    columns = (Column("setting"), *(Column(run.name, wraps=True) for run in runs))
    return Table("Settings in which runs differ", Grid(name="differing settings", columns=columns, rows=rows))


def _settings(runs: Sequence[FinishedRun]) -> dict[str, list[Value]]:
    """Each setting with its value in each run. Those of the network are in its name; the versions are a record beside them."""
    found = [
        {name: value for name, value in run.settings.by_name().items() if not name.startswith("network.")}
        | {f"version of {name}": value for name, value in run.settings.versions.items()}
        for run in runs
    ]
    return {name: [each.get(name) for each in found] for name in {name: None for each in found for name in each}}


def _same(values: Sequence[Value]) -> bool:
    return all(value == values[0] for value in values)


def _value(value: Value) -> Cell:
    return word(None) if value is None else Cell(setting(value), str(value))


def by_epoch(run: FinishedRun) -> Table:
    """The loss and the errors after each epoch of a run."""
    columns = (
        Column("epoch", right=True),
        Column("mean loss", right=True),
        Column("validation error, %", right=True),
        Column("test error, %", right=True),
        Column("chosen"),
    )
    rows = tuple(_epoch_row(run, epoch) for epoch in run.epochs)
    return Table(f"{run.name} by epoch", Grid(name=run.name, columns=columns, rows=rows))


def _epoch_row(run: FinishedRun, epoch: Epoch) -> tuple[Cell, ...]:
    return (
        number(epoch.epoch),
        Cell(f"{epoch.loss:.4f}", str(epoch.loss)),
        _percent(epoch.validation_error),
        _percent(epoch.test_error),
        word("chosen" if epoch == run.chosen else ""),
    )


def _percent(share: float | None) -> Cell:
    return Cell(ABSENT, None) if share is None else Cell(f"{100 * share:.2f}", str(share))


def stated_errors() -> Table:
    """What the papers and open re-implementations state."""
    columns = (
        Column("source", wraps=True),
        Column("network", wraps=True),
        Column("test error, %", right=True),
        Column("rule", wraps=True),
        Column("variant", wraps=True),
    )
    rows = tuple(
        (word(each.source), word(each.network), word(each.error), word(each.rule), word(each.words))
        for each in stated_data().stated
    )
    return Table("Stated test errors on MNIST", Grid(name="stated errors", columns=columns, rows=rows))
