"""train-smoke: variants trained for a short while, one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from capsaudit.catalogue import Variant
from capsaudit.data.dataset import Dataset
from capsaudit.data.digits import load_digits
from capsaudit.data.mnist import Progress as FetchProgress
from capsaudit.data.mnist import fetch_mnist, load_mnist
from capsaudit.errors import CapsauditError
from capsaudit.results import FirstLast, Run, RunPicture, Runs, Unfinished
from capsaudit.train.loop import Progress
from capsaudit.train.pictures import draw
from capsaudit.train.plan import Plan
from capsaudit.train.smoke import smoke

Watcher = Callable[[str, Progress], None]


def train_smoke(
    variants: Sequence[Variant],
    dataset: Dataset,
    plan: Plan,
    *,
    watch: Watcher = lambda *_: None,
    pictures: Path | None = None,
) -> Runs:
    """Train each variant for a short while. An interrupt ends it; what was done until then is reported."""
    runs: list[Run] = []
    drawn: list[RunPicture] = []
    taken: list[Progress] = []

    def note(progress: Progress) -> None:
        taken.append(progress)
        watch(variants[len(runs)].id, progress)

    try:
        for variant in variants:
            taken.clear()
            trained = smoke(variant, dataset, plan, note)
            runs.append(trained.run)
            if pictures is not None:
                drawn += draw(trained, pictures)
    except KeyboardInterrupt:
        left = [variant.id for variant in variants[len(runs) :]]
        return Runs(
            runs=tuple(runs),
            interrupted=True,
            unfinished=_unfinished(left[0], plan, taken) if left else None,
            not_started=tuple(left[1:]),
            pictures=tuple(drawn),
        )
    return Runs(runs=tuple(runs), pictures=tuple(drawn))


def _unfinished(variant: str, plan: Plan, taken: Sequence[Progress]) -> Unfinished:
    """The run that was interrupted, from the progress that it made."""
    losses = [progress.loss for progress in taken if progress.step] or [None]
    return Unfinished(
        variant=variant,
        steps=len(taken) - 1 if taken else 0,
        planned=plan.steps,
        loss=FirstLast(first=losses[0], last=losses[-1]),
    )


def prepare(device: str, *, threads: int | None) -> None:
    """Check a device, and set the number of threads of this process.

    Raises:
        CapsauditError: there is no such device, or the number of threads is not positive.
    """
    if threads is not None and threads < 1:
        raise CapsauditError(f"threads is {threads}; expected at least 1")
    try:
        torch.empty(1, device=device).item()  # device meta has no values
    except (RuntimeError, AssertionError) as error:
        raise CapsauditError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    if threads:
        torch.set_num_threads(threads)


def dataset_of(data: str, folder: Path | None, fetching: FetchProgress | None) -> Dataset:
    """The embedded digits, MNIST from a folder, or MNIST fetched.

    Raises:
        CapsauditError: no such data.
        DataError: the data cannot be read or fetched.
    """
    if folder is not None:
        return load_mnist(folder)
    if data not in ("digits", "mnist"):
        raise CapsauditError(f"no data {data!r}; expected 'digits' or 'mnist', or a folder of IDX files")
    return load_digits() if data == "digits" else load_mnist(fetch_mnist(fetching))
