"""What `train_smoke` returns."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.results.base import Result


class FirstLast(Struct, frozen=True, kw_only=True):
    """A loss at a run's first step and at its last; None where it was not finite."""

    first: float | None
    last: float | None


class BeforeAfter(Struct, frozen=True, kw_only=True):
    """Accuracy on held-out images before and after a run, from 0 to 1."""

    before: float
    after: float


class Moved(Struct, frozen=True, kw_only=True):
    """A tensor of parameters in a run. `updated` is its count where the optimiser moved it, else 0; `reached` says whether a gradient
    other than zero came to it; `values_moved` how many of its values differ from the start.
    """

    name: str
    count: int
    updated: int
    reached: bool
    values_moved: int


class Run(Struct, frozen=True, kw_only=True):
    """A short training run. `counted` is what `count` counts as trainable, `updated` what was moved of it."""

    variant: str
    data: str
    seed: int
    steps: int
    batch_size: int
    loss: FirstLast
    accuracy: BeforeAfter
    images_per_second: float
    peak_memory_bytes: int
    parameters: tuple[Moved, ...]
    counted: int
    updated: int
    verdict: str
    because: str
    losses: tuple[float | None, ...]
    device: str


class Runs(Result, frozen=True, kw_only=True):
    """Runs of several variants, in order. `interrupted`: there would have been more."""

    runs: tuple[Run, ...]
    interrupted: bool = False

    @property
    def agrees(self) -> bool:
        """Every run learnt, and everything counted as trainable was moved."""
        return bool(self.runs) and all(run.verdict == "learns" and run.updated == run.counted for run in self.runs)
