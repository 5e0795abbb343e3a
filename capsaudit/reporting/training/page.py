"""The page of training runs: what full runs reach, by which protocol, beside what others state."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from capsaudit.render.escaping import with_escapes
from capsaudit.reporting.pages import markdown_page
from capsaudit.reporting.sections import Notes, PictureFile, Section
from capsaudit.reporting.tables import Table
from capsaudit.reporting.training.runs import FOLDER, FinishedRun, name_of, training_runs
from capsaudit.reporting.training.tables import (
    by_epoch,
    differing_settings,
    network,
    overview,
    shared_settings,
    stated_errors,
)

PAGE = "training.md"
TITLE = "What full training runs reach"

_LEAD = (
    "Each row of the first table is a finished run of capsaudit train, or one that is planned and was not run. The test error is the share "
    "of test images whose digit is not found (of two overlaid digits: not both). No figure is better than its protocol, which stands "
    "beside it.",
)
_READING = (
    "The chosen epoch is the first one with the lowest error on training images that were held out. The test images choose nothing.",
    "Behind ± is the standard error √(p(1 − p)/n) of a share p of n test images. It does not contain how much runs with other seeds differ: "
    "each row is one run with one seed.",
    "Of MNIST's 10,000 test images, one is 0.01 %, and five are 0.05 %.",
)
_DIFFERENCES = (
    "A run of a few epochs shows how far a network comes in these epochs, not what it reaches. Its error is not to be compared with these, "
    "which follow long training. Runs on other images than MNIST cannot be compared with them at all.",
    "The paper states means of several trials; a training run is a single trial.",
    "The paper names 60,000 training images, and none that are held out. Where images are held out, a training run has fewer.",
    "The rate of the paper decays exponentially, by the released code to 0.96 of it every 2,000 steps. A rate that decays to its floor over "
    "the run is another protocol: in a short run it decays much faster.",
    "Most open re-implementations state the lowest error on the test images among all epochs, which makes it look lower than it is on "
    "other images. No training run here is judged so.",
)


def training_files(folder: Path, added: Sequence[Path]) -> dict[str, bytes]:
    """The page, and what is to be kept of the runs that are added, by their names in the folder of a report.

    Raises:
        FileError: a run is not finished or damaged; see `training_runs`.
    """
    runs = training_runs(folder, added)
    names = {name_of(path) for path in added}
    kept = {f"{FOLDER}/{run.name}/{name}": run.files[name] for run in runs if run.name in names for name in run.files}
    return {PAGE: page(runs, folder).encode(), **kept}


def page(runs: Sequence[FinishedRun], folder: Path) -> str:
    """The page about these runs. `folder`: where the report is, in which there may be pictures of them."""
    pictures = [tuple(_pictures(run, folder)) for run in runs]
    safe = [msgspec.structs.replace(with_escapes(run), files={}) for run in runs]
    return markdown_page(TITLE, _LEAD, tuple(_sections(safe, pictures)))


def _sections(runs: Sequence[FinishedRun], pictures: Sequence[tuple[PictureFile, ...]]) -> Iterator[Section]:
    yield Section("runs", "The runs", (Notes(_READING), overview(runs)))
    yield Section("stated", "What others state", (stated_errors(), Notes(_DIFFERENCES)))
    if runs:
        yield Section("settings", "The settings", tuple(_tables(runs)))
    for run, drawn in zip(runs, pictures, strict=True):
        about = f"Network: {network(run)}. Seed: {run.settings.protocol.seed}."
        yield Section(run.name, f"Training run {run.name}", (about, by_epoch(run), *drawn))


def _tables(runs: Sequence[FinishedRun]) -> Iterator[Table]:
    yield from (table for table in (shared_settings(runs), differing_settings(runs)) if table.grid.rows)


def _pictures(run: FinishedRun, folder: Path) -> Iterator[PictureFile]:
    """Those that `train --pictures` has drawn into the folder of the run."""
    described = {
        "reconstructions.png": "Test images and their reconstructions",
        "dimensions.png": "The effect of each dimension of a class capsule on the reconstruction",
    }
    for ending, description in described.items():
        file = f"{FOLDER}/{run.name}/{run.settings.variant.replace('/', '_')}-{ending}"
        if (folder / file).is_file():
            yield PictureFile(quote(os.fsencode(file)), description)
