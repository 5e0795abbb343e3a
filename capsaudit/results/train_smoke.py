"""What `train-smoke` returns."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from capsaudit.results.base import Reason, Result

RunVerdict = Literal["learns", "does not learn", "unreachable"]
PictureKind = Literal["loss", "reconstructions", "dimensions"]


class FirstLast(Struct, frozen=True, kw_only=True):
    """The loss of a run's first step and of its last; None where it was not finite."""

    first: float | None
    last: float | None


class BeforeAfter(Struct, frozen=True, kw_only=True):
    """Accuracy on held-out images before and after a run, from 0 to 1."""

    before: float
    after: float


class TrainedTensor(Struct, frozen=True, kw_only=True):
    """A trainable tensor in a run. `updated` is its count where the optimiser changed it, else 0; `reached` says whether a gradient
    other than zero arrived; `values_changed` how many of its values differ from the start.
    """

    name: str
    count: int
    updated: int
    reached: bool
    values_changed: int


class Run(Struct, frozen=True, kw_only=True):
    """A short training run. `counted` is what `count` counts as trainable, `updated` what the optimiser changed of it."""

    variant: str
    data: str
    seed: int
    steps: int
    batch_size: int
    loss: FirstLast
    accuracy: BeforeAfter
    images_per_second: float
    peak_memory_bytes: int
    parameters: tuple[TrainedTensor, ...]
    counted: int
    updated: int
    verdict: RunVerdict
    reasons: tuple[Reason, ...]
    losses: tuple[float | None, ...]
    device: str


class RunPicture(Struct, frozen=True, kw_only=True):
    """A picture of a run: its file, or the reasons why it was not drawn."""

    variant: str
    kind: PictureKind
    file: str | None = None
    reasons: tuple[Reason, ...] = ()


class Unfinished(Struct, frozen=True, kw_only=True):
    """A run that was interrupted after some of its steps, and so has no verdict. The losses are None before the first step."""

    variant: str
    steps: int
    planned: int
    loss: FirstLast


class Runs(Result, frozen=True, kw_only=True):
    """Runs of several variants, in order. `interrupted`: more was to be done; `unfinished` is the run that was interrupted,
    `not_started` the variants after it.
    """

    runs: tuple[Run, ...]
    interrupted: bool = False
    unfinished: Unfinished | None = None
    not_started: tuple[str, ...] = ()
    pictures: tuple[RunPicture, ...] = ()

    @property
    def agrees(self) -> bool:
        """Every run learns, and everything counted as trainable was updated."""
        return bool(self.runs) and all(run.verdict == "learns" and run.updated == run.counted for run in self.runs)
