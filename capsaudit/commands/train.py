"""train: a full training run in a folder of its own, or what is left of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch

from capsaudit._version import __version__
from capsaudit.catalogue import Variant
from capsaudit.data.dataset import Dataset
from capsaudit.results import FirstLast, RunPicture, TestError, TrainingEstimate, TrainingRun
from capsaudit.signals import held
from capsaudit.text import valid
from capsaudit.train.checkpoint import LAST
from capsaudit.train.distributed import Processes, processes
from capsaudit.train.pictures import FullRun, Subject, draw
from capsaudit.train.protocol import Protocol
from capsaudit.train.run import Run, begin_or_resume, is_run, locked, read, steps_done
from capsaudit.train.session import CHECKPOINT_SECONDS, RunProgress, Session, chosen, steps_of_epoch
from capsaudit.train.settings import RunSettings, network_of, read_settings
from capsaudit.train.splits import Splits, checksum, resolved, splits
from capsaudit.train.timing import cost
from capsaudit.train.weights import load_weights

Watcher = Callable[[RunProgress], None]
Teller = Callable[[str], None]
"""Is told what a person should know: which checkpoint is gone on from, and what was saved."""


class Wanted(NamedTuple):
    """A run as it is asked for. `threads`: those of each process; None: those of the run that is in the folder, or torch's choice."""

    variant: Variant
    dataset: Dataset
    protocol: Protocol
    folder: Path
    device: str
    threads: int | None


def train(
    wanted: Wanted,
    *,
    fork: bool = False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    pictures: Path | None = None,
    watch: Watcher = lambda _: None,
    tell: Teller = lambda _: None,
) -> TrainingRun:
    """Begin a run, or go on with the one that is in the folder. A signal is held back until a checkpoint is written.

    Raises:
        CapsauditError: a setting, the data, the folder or a file in it is not as it must be; nothing that was there is lost.
    """
    folder = wanted.folder
    with processes(wanted.device) as group:
        settings = settings_of(wanted, group)
        parts = splits(settings, wanted.dataset)
        if group.rank == 0:
            with locked(folder):
                run = begin_or_resume(folder, settings, fork=fork)
                _finish(run, parts, group, checkpoint_seconds, watch, tell)
        else:
            group.wait()
            _finish(read(folder), parts, group, checkpoint_seconds, lambda _: None, lambda _: None)
        group.wait()  # for the last checkpoint, which the first process may still be writing
        finished = read(folder)
        drawn = _drawn(finished, parts, pictures) if pictures is not None and group.rank == 0 else ()
        return msgspec.structs.replace(result_of(finished, parts), pictures=drawn)


def settings_of(wanted: Wanted, group: Processes) -> RunSettings:
    """The settings of a run with everything that the images and this machine decide.

    Threads that nobody has asked for are those of the run that is in the folder: another number gives other roundings.
    """
    variant, dataset, protocol, folder, device, threads = wanted
    if threads is None and is_run(folder):
        torch.set_num_threads(read_settings(folder / "settings.toml").threads)
    two = variant.data == "multimnist"
    return RunSettings(
        variant=valid(variant.id),
        images="multimnist" if two else "digits",
        data=dataset.name,
        data_sha256=checksum(dataset),
        device=device,
        threads=torch.get_num_threads(),
        processes=group.count,
        protocol=msgspec.structs.replace(protocol, **resolved(protocol, dataset, two=two)),
        network=network_of(variant.spec),
        versions={"capsaudit": __version__, "torch": str(torch.__version__)},
    )


def estimate(wanted: Wanted) -> TrainingEstimate:
    """What a run would take, or what is left of the one that is in the folder. Nothing is written.

    Raises:
        CapsauditError: a setting or the data is not as it must be.
    """
    dataset, protocol, folder = wanted.dataset, wanted.protocol, wanted.folder
    settings = settings_of(wanted, Processes(device=wanted.device))
    parts = splits(settings, dataset)
    measured, per_epoch = cost(settings, parts), steps_of_epoch(parts, protocol.batch_size)
    done = steps_done(folder)
    validation = len(parts.validation) if parts.validation is not None else 0
    left = protocol.epochs * per_epoch - done
    return TrainingEstimate(
        run=str(folder),
        variant=wanted.variant.id,
        data=dataset.name,
        epochs=protocol.epochs,
        steps=protocol.epochs * per_epoch,
        steps_done=done,
        training_images=len(parts.training),
        validation_images=validation,
        test_images=len(parts.test),
        training_seconds=left * measured.step_seconds,
        evaluation_seconds=left / per_epoch * (validation + len(parts.test)) * measured.image_seconds,
        images_per_second=protocol.batch_size / measured.step_seconds,
        peak_memory_bytes=measured.peak_memory_bytes,
        disk_bytes=measured.disk_bytes,
        settings=settings.by_name(),
    )


def result_of(run: Run, parts: Splits) -> TrainingRun:
    """The result of a finished run, from its settings and logs alone."""
    settings, rows = run.settings, run.epochs.rows()
    best, last = chosen(rows), rows[-1]
    error: float = (best or last)["test_error"]
    seconds = sum(row["training_seconds"] for row in rows)
    return TrainingRun(
        run=str(run.folder),
        variant=settings.variant,
        data=settings.data,
        epochs=len(rows),
        steps=last["step"],
        seed=settings.protocol.seed,
        test_error=TestError(last=last["test_error"], chosen=best["test_error"] if best else None),
        standard_error=math.sqrt(error * (1 - error) / len(parts.test)),
        test_images=len(parts.test),
        validation_error=best["validation_error"] if best else None,
        validation_images=len(parts.validation) if parts.validation is not None else 0,
        chosen_epoch=best["epoch"] if best else None,
        loss=FirstLast(first=rows[0]["loss"], last=last["loss"]),
        training_seconds=seconds,
        images_per_second=last["step"] * settings.protocol.batch_size / seconds,
        settings=settings.by_name(),
    )


def _finish(run: Run, parts: Splits, group: Processes, seconds: float, watch: Watcher, tell: Teller) -> None:
    """Train until the end. A signal ends it as soon as a checkpoint is written."""
    if group.rank == 0:
        group.wait()
    for fault in run.faults:
        tell(fault)
    if run.faults and run.checkpoint is not None:
        tell(f"{run.folder}: going on from the checkpoint before, of step {run.checkpoint.manifest.step:,}")
    with held() as stopped:
        session = Session(run, parts, group, seconds=seconds, watch=watch)
        if not session.go_on(stopped):
            place = f"step {session.optimiser.steps:,} of {session.steps:,}"
            tell(f"{run.folder}: saved at {place}; the same command goes on from there")


def _drawn(run: Run, parts: Splits, folder: Path) -> tuple[RunPicture, ...]:
    """The pictures of a finished run, with the weights of its last epoch."""
    losses = tuple(row["loss"] for row in run.steps.rows())
    shown = FullRun(run.settings.variant, len(losses), losses, run.epochs.rows()[-1]["test_error"])
    return draw(Subject(shown, load_weights(run.folder / LAST), parts.test), folder)
