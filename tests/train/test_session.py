"""How an epoch is chosen, and when checkpoints are written."""

import time
from pathlib import Path

import pytest

from capsaudit.train import checkpoint
from capsaudit.train.log import Row
from capsaudit.train.session import RunProgress, chosen, last_error
from tests.train.runs import EPOCHS, STEPS, train, write_small


def epochs(*errors: float | None) -> list[Row]:
    return [{"epoch": n, "validation_error": error, "test_error": 0.5} for n, error in enumerate(errors, start=1)]


@pytest.mark.parametrize(
    ("errors", "epoch"), [((0.3, 0.1, 0.2), 2), ((0.1, 0.1), 1), ((0.2,), 1), ((None, None), None), ((), None)]
)
def test_the_first_epoch_with_the_lowest_validation_error_is_chosen(
    errors: tuple[float | None, ...], epoch: int | None
) -> None:
    found = chosen(epochs(*errors))
    assert (found and found["epoch"]) == epoch


def test_the_last_error_is_that_of_validation_where_there_is_one() -> None:
    assert (last_error(epochs(0.1, 0.2)), last_error(epochs(None)), last_error([])) == (0.2, 0.5, None)


@pytest.fixture
def saves(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps after which a checkpoint is written."""
    found: list[int] = []
    write = checkpoint.write

    def noted(folder: Path, step: int, *arguments: object, **more: object) -> None:
        found.append(step)
        write(folder, step, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(checkpoint, "write", noted)
    return found


def test_checkpoints_are_written_at_the_beginning_and_after_each_epoch(saves: list[int], tmp_path: Path) -> None:
    train(write_small(tmp_path), tmp_path / "run", checkpoint_seconds=1000.0)
    assert saves == [0, *(STEPS * epoch for epoch in range(1, EPOCHS + 1))]


def test_checkpoints_are_written_in_between_when_it_is_time(saves: list[int], tmp_path: Path) -> None:
    """With no time between them after each step; before and after each epoch is evaluated."""
    train(write_small(tmp_path), tmp_path / "run", checkpoint_seconds=0.0, epochs=1)
    assert saves == [*range(STEPS + 1), STEPS]


def test_progress_has_the_error_of_the_epoch_before(tmp_path: Path) -> None:
    seen: list[RunProgress] = []
    started = time.perf_counter()
    result = train(write_small(tmp_path), tmp_path / "run", epochs=2, watch=seen.append)
    seconds = time.perf_counter() - started
    assert [(at.epoch, at.step) for at in seen] == [(1 + n // STEPS, n + 1) for n in range(2 * STEPS)]
    assert {(at.epochs, at.steps) for at in seen} == {(2, 2 * STEPS)}
    assert {at.error for at in seen[:STEPS]} == {None}
    (before,) = {at.error for at in seen[STEPS:]}
    assert before is not None
    assert result.validation_error is not None
    assert before >= result.validation_error
    assert all(at.images_per_second >= 32 * STEPS / seconds for at in seen[STEPS - 1 :: STEPS])
