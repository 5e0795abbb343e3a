"""What `train` returns."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.results.base import Result
from capsaudit.results.train_smoke import FirstLast, RunPicture
from capsaudit.spec import Value


class TestError(Struct, frozen=True, kw_only=True):
    """The share of test images in which not every digit is found, from 0 to 1: with the weights of the last epoch, and of the epoch that
    is chosen by its validation error; None where none is chosen.
    """

    __test__ = False  # pytest takes every class whose name begins so for one of its own

    last: float
    chosen: float | None


class TrainingRun(Result, frozen=True, kw_only=True):
    """A finished training run. `run`: its folder. `chosen_epoch`: the first one with the lowest validation error; None where no images
    were held out. `standard_error`: of the test error of the chosen epoch, or else of the last one, √(p(1 − p)/n) for n test images.
    `validation_images`: how many were held out. `loss`: the mean of the first and of the last epoch. `settings`: each by its name.
    """

    run: str
    variant: str
    data: str
    epochs: int
    steps: int
    seed: int
    test_error: TestError
    standard_error: float
    test_images: int
    validation_error: float | None
    validation_images: int
    chosen_epoch: int | None
    loss: FirstLast
    training_seconds: float
    images_per_second: float
    settings: dict[str, Value]
    pictures: tuple[RunPicture, ...] = ()


class TrainingEstimate(Result, frozen=True, kw_only=True):
    """What a training run would take. Its steps are timed for a moment and nothing is written. `steps_done`: by the run that is in the
    folder. `training_seconds`: of the steps that are left; `evaluation_seconds`: after all epochs that are left.
    """

    run: str
    variant: str
    data: str
    epochs: int
    steps: int
    steps_done: int
    training_images: int
    validation_images: int
    test_images: int
    training_seconds: float
    evaluation_seconds: float
    images_per_second: float
    peak_memory_bytes: int
    disk_bytes: int
    settings: dict[str, Value]
