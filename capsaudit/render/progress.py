"""Progress on standard error: a bar or a line in a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from capsaudit.text import escaped


class Bars:
    """One bar for each variant or file."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._preparing: TaskID | None = None

    def preparing(self) -> None:
        """A bar without an end, until another one takes its place: importing torch takes seconds."""
        self._preparing = self._progress.add_task("preparing", total=None, status="")

    def training(
        self, name: str, step: int, steps: int, loss: float | None, accuracy: float | None, rate: float | None
    ) -> None:
        """A training step has been taken, or in step 0 the accuracy before training is measured."""
        status = (
            f"loss {loss:.3f} · accuracy {accuracy:.0%} · {rate:,.0f} images/s" if step else "accuracy before training"
        )
        self._move(name, step, steps, status)

    def epochs(
        self, name: str, epoch: int, epochs: int, step: int, steps: int, loss: float, error: float | None, rate: float
    ) -> None:
        """A step of a full run has been taken; `error` is that of the epoch before."""
        before = f" · error {error:.2%}" if error is not None else ""
        self._move(name, step, steps, f"epoch {epoch}/{epochs} · loss {loss:.4f}{before} · {rate:,.0f} images/s")

    def fetching(self, name: str, done: int, total: int) -> None:
        """Some bytes have been received."""
        self._move(name, done, total or done, f"{done / 2**20:,.1f} MiB")

    def evaluating(self, name: str, done: int, total: int) -> None:
        """So many images have been evaluated."""
        self._move(name, done, total, "images")

    def searching(self, done: int, total: int) -> None:
        """Some of a space has been searched; for a small one no bar is shown."""
        if total > 1:
            self._move("searching", done, total, "")

    def _move(self, name: str, done: int, total: int, status: str) -> None:
        if self._preparing is not None:
            self._progress.remove_task(self._preparing)
            self._preparing = None
        if name not in self._tasks:
            # what was done before is no measure of the time that is left
            self._tasks[name] = self._progress.add_task(escaped(name), total=total, completed=done, status=status)
        self._progress.update(self._tasks[name], completed=done, total=total, status=status)


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars that live as long as the block."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeRemainingColumn(compact=True),
    )
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress)


_DOING = {
    "read": "reading {}",
    "imported": "importing {}",
    "built": "building {}",
    "run": "running {}",
    "compared with its reference": "comparing what {} computes with its reference",
}

_PATIENCE = 2.0
"""How many seconds something may take before a line says what it is."""


@contextmanager
def stages() -> Iterator[Callable[[str, str], None]]:
    """A line that says what is being done with a target, if that takes long."""
    console = Console(file=sys.stderr)
    status = console.status("preparing …")
    late = Timer(_PATIENCE, status.start)
    if console.is_terminal:
        late.start()
    try:
        yield lambda target, stage: status.update(Text(_DOING[stage].format(escaped(target)) + " …"))
    finally:
        late.cancel()
        if late.ident is not None:
            late.join()
        status.stop()
