"""A run's folder: `settings.toml`, the logs `steps.jsonl` and `epochs.jsonl`, and the checkpoint. One process at a time has it open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from capsaudit.atomic_write import LOCKS, write_atomically
from capsaudit.errors import CapsauditError, FileError
from capsaudit.spec import Value
from capsaudit.train import checkpoint
from capsaudit.train.checkpoint import Checkpoint
from capsaudit.train.log import Log
from capsaudit.train.settings import Fork, RunSettings, as_toml, differences, is_fixed, read_settings
from capsaudit.validation import shown

if LOCKS:
    import fcntl

SETTINGS, STEPS, EPOCHS, LOCK = "settings.toml", "steps.jsonl", "epochs.jsonl", "lock"


class Run(NamedTuple):
    """A run that is open: its folder, settings and logs, and the checkpoint that it goes on from; None: it has not begun.

    `faults`: what is wrong with a newer checkpoint, which is not used.
    """

    folder: Path
    settings: RunSettings
    steps: Log
    epochs: Log
    checkpoint: Checkpoint | None
    faults: tuple[str, ...] = ()

    def save(self, step: int, contents: Mapping[str, bytes]) -> None:
        """Write a checkpoint, and have the logs on the disk before. The best weights are kept where there are no others.

        Raises:
            CapsauditError: it cannot be written; the one before stays.
        """
        logs = {log.path.name: log.sync() for log in (self.steps, self.epochs)}
        checkpoint.write(self.folder, step, contents, logs, kept=[checkpoint.BEST])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """No other process may train in this folder, which is made where there is none, until the block ends.

    Raises:
        CapsauditError: it cannot be made, or another process trains there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("ab") as stream:
            if LOCKS:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as error:
        raise CapsauditError(f"{folder}: another process is training this run") from error
    except OSError as error:
        raise CapsauditError(f"{folder}: cannot be written: {error.strerror}") from error


def is_run(folder: Path) -> bool:
    """Whether there is a run in this folder."""
    return (folder / SETTINGS).is_file()


def begin_or_resume(folder: Path, settings: RunSettings, *, fork: bool) -> Run:
    """Begin a run in an empty folder, or go on with the one that is there: what was logged after its checkpoint is removed.

    Raises:
        CapsauditError: the folder has other files, or a run with other settings that `fork` does not allow to change.
        FileError: a file of the run is damaged.
    """
    if not is_run(folder):
        _expect_empty(folder)
        write_atomically(folder / SETTINGS, as_toml(settings))
    found = read(folder)
    if changed := list(differences(found.settings, settings)):
        found = _forked(found, settings, changed, fork=fork)
    _cut(found)
    return found


def read(folder: Path) -> Run:
    """The run in a folder, as it is at its newest checkpoint.

    Raises:
        FileError: it has none, or a file of it is damaged.
    """
    if not is_run(folder):
        raise FileError(f"{folder}: has no {SETTINGS}; expected the folder of a run, as capsaudit train writes it")
    settings = read_settings(folder / SETTINGS)
    found, faults = checkpoint.newest(folder)
    steps, epochs = Log(folder / STEPS), Log(folder / EPOCHS)
    if found is None and steps.rows():
        raise FileError(f"{folder / checkpoint.MANIFEST}: is missing; expected it beside {STEPS}, which has rows")
    return Run(folder, settings, steps, epochs, found, faults)


def steps_done(folder: Path) -> int:
    """Steps that the checkpoint in a folder has; 0 where there is none."""
    found = checkpoint.manifest_in(folder)
    return found.step if found is not None else 0


def _expect_empty(folder: Path) -> None:
    if other := sorted(path.name for path in folder.iterdir() if path.name != LOCK and path.name[0] != "."):
        raise CapsauditError(f"{folder}: has {other[0]} and no {SETTINGS}; expected a new folder, or that of a run")


def _cut(run: Run) -> None:
    for log in (run.steps, run.epochs):
        log.make()
    if run.checkpoint is not None:
        for log in (run.steps, run.epochs):
            log.cut(run.checkpoint.manifest.logs[log.path.name])


def _forked(run: Run, settings: RunSettings, changed: list[tuple[str, Value, Value]], *, fork: bool) -> Run:
    """The run with other settings from here on, which its file records."""
    if faults := [_refusal(run.folder, *each, fork=fork) for each in changed if not fork or is_fixed(each[0])]:
        raise CapsauditError(*faults)
    step = run.checkpoint.manifest.step if run.checkpoint is not None else 0
    before = {name: "none" if old is None else old for name, old, _ in changed}
    forked = msgspec.structs.replace(
        settings, versions=run.settings.versions, forks=(*run.settings.forks, Fork(step, before))
    )
    write_atomically(run.folder / SETTINGS, as_toml(forked))
    return run._replace(settings=forked)


def _refusal(folder: Path, name: str, before: Value, after: Value, *, fork: bool) -> str:
    found = f"{folder}: {name} of this run is {shown(before)}, not {shown(after)}"
    if name == "data_sha256":
        found = f"{folder}: the images or labels are not those that this run was trained on (data_sha256)"
    if fork or is_fixed(name):
        return f"{found}; expected the same, or another --output"
    return f"{found}; expected the same, another --output, or --fork to go on with the changed setting"
