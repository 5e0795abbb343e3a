"""Finished training runs: what is kept of their folders, and what it says once it is kept."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from capsaudit.errors import CapsauditError, FileError
from capsaudit.families import family_of
from capsaudit.reporting.training.stated import KnownImages, stated_data
from capsaudit.train.checkpoint import MANIFEST, manifest_in
from capsaudit.train.log import extent
from capsaudit.train.run import EPOCHS, SETTINGS, is_run
from capsaudit.train.session import chosen
from capsaudit.train.settings import RunSettings, read_settings

FOLDER = "training"
"""Below the report's folder: a folder for each run that is kept."""

_GO_ON = "expected a finished training run; the capsaudit train command that began it goes on with it"

_ErrorRate = Annotated[float, Meta(ge=0, le=1)]


class Epoch(Struct, frozen=True, kw_only=True):
    """A row of `epochs.jsonl` without what depends on the clock or on memory. Errors are shares of images, from 0 to 1."""

    epoch: int
    step: int
    loss: float
    validation_error: _ErrorRate | None
    test_error: _ErrorRate


class FinishedRun(Struct, frozen=True, kw_only=True):
    """A run as it is kept. `files`: the content of `settings.toml` and `epochs.jsonl`."""

    name: str
    settings: RunSettings
    epochs: tuple[Epoch, ...]
    files: dict[str, bytes]

    @property
    def last(self) -> Epoch:
        """The last epoch."""
        return self.epochs[-1]

    @property
    def chosen(self) -> Epoch | None:
        """The epoch that `train` chooses; None where nothing was held out."""
        best = chosen([msgspec.structs.asdict(epoch) for epoch in self.epochs])
        return None if best is None else self.epochs[best["epoch"] - 1]

    @property
    def images(self) -> KnownImages | None:
        """The images with their numbers, where those are known: the network has all of their classes."""
        known, spec = stated_data().images(self.settings.data_sha256), self.settings.spec
        return known if known is not None and family_of(spec).classes(spec) >= known.classes else None


def training_runs(folder: Path, added: Sequence[Path]) -> tuple[FinishedRun, ...]:
    """The runs that are kept in the folder of a report, and those that are added to them, by name.

    Raises:
        FileError: everything that is wrong with any of them; see `added_run` and `kept_run`.
    """
    faults: list[str] = []
    runs: dict[str, FinishedRun] = {}
    for path in added:
        try:
            run = added_run(path, folder)
            if run.name in runs:
                raise FileError(
                    f"{path}: another run to add is named {run.name} too; expected folders with other names"
                )
            runs[run.name] = run
        except CapsauditError as error:
            faults += error.faults
    names = {name_of(path) for path in added}
    for path in _folders(folder / FOLDER):
        try:
            runs |= {path.name: kept_run(path)} if path.name not in names else {}
        except CapsauditError as error:
            faults += error.faults
    if faults:
        raise FileError(*faults)
    return tuple(runs[name] for name in sorted(runs))


def added_run(path: Path, folder: Path) -> FinishedRun:
    """A run to be kept, from the folder that `train` has written.

    Raises:
        FileError: it is no such folder, the run is not finished, a file is damaged, or another run is kept under this name.
    """
    if not is_run(path):
        raise FileError(
            f"{path}: has no {SETTINGS}; expected the folder of a training run, as capsaudit train writes it"
        )
    manifest = manifest_in(path)
    if manifest is None:
        raise FileError(f"{path}: has no {MANIFEST}; {_GO_ON}")
    run = kept_run(path)
    if extent(run.files[EPOCHS]) != manifest.logs.get(EPOCHS):
        raise FileError(
            f"{path / EPOCHS}: is not the log that {MANIFEST} describes; expected the one that this run wrote"
        )
    if run.last.step != manifest.step:
        raise FileError(f"{path}: has a checkpoint of step {manifest.step:,} of {run.last.step:,}; {_GO_ON}")
    kept = folder / FOLDER / run.name
    if any((kept / name).exists() and _content(kept / name) != content for name, content in run.files.items()):
        raise FileError(f"{kept}: has another run than {path}; expected a folder with another name")
    return run


def kept_run(path: Path) -> FinishedRun:
    """A run from the two files that are kept of it.

    Raises:
        FileError: one of them is missing or damaged, or the run is not finished.
    """
    settings = read_settings(path / SETTINGS)
    files = {name: _content(path / name) for name in (SETTINGS, EPOCHS)}
    epochs = tuple(_epochs(path / EPOCHS, files[EPOCHS]))
    wanted = settings.protocol.epochs
    if len(epochs) < wanted:
        raise FileError(f"{path}: has {len(epochs):,} of {wanted:,} epochs; {_GO_ON}")
    run = FinishedRun(name=name_of(path), settings=settings, epochs=epochs, files=files)
    if faults := list(_faults(run)):
        raise FileError(*(f"{path / EPOCHS}: {fault}" for fault in faults))
    return run


def name_of(path: Path) -> str:
    """The name of a run's folder, also where that is given as `.` or through a symbolic link.

    >>> name_of(Path("runs/paper/previous/..")), name_of(Path("/runs/paper"))
    ('paper', 'paper')
    """
    return Path(os.path.normpath(path.absolute())).name


def _folders(folder: Path) -> list[Path]:
    """Folders that have something in them: git keeps no others."""
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        return [path for path in found if path.is_dir() and any(path.iterdir())]
    except OSError as error:
        raise FileError(f"{folder}: cannot be read: {error.strerror}") from error


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise FileError(f"{path}: is missing; {_GO_ON}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error


def _epochs(path: Path, content: bytes) -> Iterator[Epoch]:
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            yield msgspec.json.decode(line, type=Epoch)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FileError(f"{path}: line {number} is no row of an epoch: {error}") from error


def _faults(run: FinishedRun) -> Iterator[str]:
    """Rows that no run writes. An error is a whole number of images."""
    numbers = [epoch.epoch for epoch in run.epochs]
    if numbers != list(range(1, run.settings.protocol.epochs + 1)):
        yield f"has the epochs {', '.join(map(str, numbers))}; expected 1 to {run.settings.protocol.epochs}"
    if run.images is None:
        return
    count = run.images.test_images
    for epoch in run.epochs:
        if not math.isclose(wrong := epoch.test_error * count, round(wrong), abs_tol=1e-6):
            yield f"test_error of epoch {epoch.epoch} is {epoch.test_error}; expected a share of {count:,} images"
