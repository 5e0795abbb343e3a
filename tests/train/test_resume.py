"""A run that was killed, interrupted or damaged goes on exactly: its log is that of a run that nothing has disturbed."""

import random
import shutil
import signal
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from capsaudit import api
from capsaudit.errors import CapsauditError
from capsaudit.train.session import RunProgress
from tests.train.runs import EPOCHS, STEPS, rows, started, train, write_small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small(tmp_path_factory.mktemp("variant"))


@pytest.fixture(scope="module")
def undisturbed(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from its beginning to its end."""
    folder = tmp_path_factory.mktemp("run") / "run"
    train(small, folder)
    return folder


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_a_row_for_every_step_and_every_epoch(undisturbed: Path) -> None:
    found = rows(undisturbed)
    assert [(row["epoch"], row["step"]) for row in found["steps.jsonl"]] == [
        (1 + step // STEPS, step + 1) for step in range(EPOCHS * STEPS)
    ]
    assert [(row["epoch"], row["step"]) for row in found["epochs.jsonl"]] == [(1, 41), (2, 82), (3, 123)]


@pytest.mark.parametrize("kills", [6, pytest.param(20, marks=pytest.mark.exhaustive)])
def test_a_run_killed_at_random_moments_has_the_log_of_one_that_was_not(
    small: Path, undisturbed: Path, tmp_path: Path, kills: int
) -> None:
    """Every fourth one before or while it begins to train. Checkpoints are written all the time, so that many kills hit one. A run that
    is done before it is killed is begun anew.
    """
    moments, folder, killed, resumed = random.Random(13), tmp_path / "run", 0, 0
    while killed < kills:
        before = size(folder / "steps.jsonl")
        process = started(small, folder, checkpoint_seconds=0.02)
        while killed % 4 and process.is_alive() and size(folder / "steps.jsonl") == before:
            time.sleep(0.001)
        process.join(moments.uniform(0, 0.25))
        if process.exitcode is None:
            process.kill()
            killed += 1
            resumed += (folder / "previous").exists()
        process.join()
        if process.exitcode == 0:
            assert rows(folder) == rows(undisturbed)
            shutil.rmtree(folder)
    train(small, folder)
    assert rows(folder) == rows(undisturbed)
    assert resumed >= kills / 4
    assert (folder / "last.safetensors").read_bytes() == (undisturbed / "last.safetensors").read_bytes()
    assert (folder / "best.safetensors").read_bytes() == (undisturbed / "best.safetensors").read_bytes()
    assert (folder / "state.safetensors").read_bytes() == (undisturbed / "state.safetensors").read_bytes()


def steps_until(end: int, variant: api.AnyVariant, folder: Path, *stops: int) -> list[dict[str, Any]]:
    """The rows of a run that is interrupted after each of these steps and goes on, to step `end`."""
    for stop in (*stops, end):

        def watch(at: RunProgress, stop: int = stop) -> None:
            if at.step == stop:
                signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            api.train(variant, output=folder, epochs=1, batch_size=4, data="digits", threads=2, watch=watch)
    return rows(folder)["steps.jsonl"]


TWO_DIGITS = """
data = "multimnist"
extends = "small.toml"
summary = "two digits"
"""


@pytest.mark.parametrize("variant", ["efficient-capsnet", "two digits"])
def test_running_statistics_and_overlaid_digits_go_on_as_well(variant: str, small: Path, tmp_path: Path) -> None:
    """On two threads."""
    two = small.with_name("two.toml")
    two.write_text(TWO_DIGITS)
    found = two if variant == "two digits" else variant
    whole = steps_until(8, found, tmp_path / "whole")
    assert steps_until(8, found, tmp_path / "parts", 1, 4) == whole
    assert len(whole) == 8


def test_a_finished_run_again_changes_nothing(small: Path, undisturbed: Path) -> None:
    before = snapshot(undisturbed)
    assert train(small, undisturbed) == train(small, undisturbed)
    assert snapshot(undisturbed) == before


class Stop(BaseException):
    """The end of the process, as far as the code that is running can tell."""


def stop_after(replacements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End with the replacement of the next file after so many of them."""
    replace, done = Path.replace, list[Path]()

    def replaced(self: Path, target: Path) -> Path:
        if len(done) == replacements:
            raise Stop
        done.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replaced)


@pytest.mark.parametrize("files", range(8))
def test_a_checkpoint_of_which_some_files_were_replaced_is_not_used(
    files: int, small: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four files are written first, the settings and those of the beginning; then the files of the first epoch, the manifest last."""
    told: list[str] = []
    with monkeypatch.context() as patch:
        stop_after(files, patch)
        with pytest.raises(Stop):
            train(small, tmp_path / "run", checkpoint_seconds=1000.0)
    train(small, tmp_path / "run", tell=told.append)
    assert rows(tmp_path / "run") == rows(undisturbed)
    expected = f"{tmp_path / 'run'}: going on from the checkpoint before, of step 0"
    assert told[1:] == ([expected] if files > 4 else [])


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors", "state.safetensors", "manifest.json"])
@pytest.mark.parametrize("harm", ["cut", "foreign", "missing"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_used(
    name: str, harm: str, small: Path, undisturbed: Path, tmp_path: Path
) -> None:
    folder, told = tmp_path / "run", list[str]()
    shutil.copytree(undisturbed, folder)
    path = folder / name
    content = {"cut": path.read_bytes()[:100], "foreign": b"{}", "missing": b""}[harm]
    path.unlink()
    if harm != "missing":
        path.write_bytes(content)
    train(small, folder, tell=told.append)
    assert name in told[0]
    assert told[1] == f"{folder}: going on from the checkpoint before, of step 82"
    assert rows(folder) == rows(undisturbed)
    assert path.read_bytes() == (undisturbed / name).read_bytes() or name == "manifest.json"


def test_two_damaged_checkpoints_are_both_named(small: Path, undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    for place in (folder, folder / "previous"):
        (place / "state.safetensors").write_bytes(b"")
    before = snapshot(folder)
    with pytest.raises(CapsauditError) as caught:
        train(small, folder)
    assert [str(path) in str(caught.value) for path in (folder / "state.safetensors", folder / "previous")] == [
        True
    ] * 2
    assert snapshot(folder) == before


def test_a_log_that_lacks_rows_of_the_checkpoint_is_refused(small: Path, undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    log = folder / "steps.jsonl"
    log.write_text("\n".join(log.read_text().splitlines()[1:]))
    with pytest.raises(CapsauditError, match=r"steps\.jsonl: its first .* bytes are not those of the last checkpoint"):
        train(small, folder)


def test_rows_after_the_checkpoint_are_removed(small: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Also half a row, as a process that is killed may leave it."""
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    with (folder / "steps.jsonl").open("a") as log:
        log.write('{"epoch": 4, "step": 124, "loss": 1.0}\n{"epo')
    train(small, folder)
    assert rows(folder) == rows(undisturbed)


CHANGED: dict[str, Any] = {"learning_rate": 0.001, "epochs": 2, "seed": 1, "shift": 0, "decay_to_floor": True}


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_setting_is_refused_by_name(name: str, small: Path, undisturbed: Path) -> None:
    before = snapshot(undisturbed)
    with pytest.raises(CapsauditError, match=rf": {name} of this run is .*--fork to go on with the changed setting"):
        train(small, undisturbed, **{name: CHANGED[name]})
    assert snapshot(undisturbed) == before


def test_a_fork_goes_on_with_the_changed_setting_and_records_it(small: Path, undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(undisturbed, folder)
    result = train(small, folder, epochs=EPOCHS + 1, learning_rate=0.0, fork=True)
    assert (result.epochs, result.steps) == (EPOCHS + 1, (EPOCHS + 1) * STEPS)
    assert [row["rate"] for row in rows(folder)["steps.jsonl"][EPOCHS * STEPS :]] == [0.0] * STEPS
    assert rows(folder)["steps.jsonl"][: EPOCHS * STEPS] == rows(undisturbed)["steps.jsonl"]
    (fork,) = tomllib.loads((folder / "settings.toml").read_text())["forks"]
    assert fork == {"step": 123, "before": {"epochs": 3, "learning_rate": 0.003}}
    again = train(small, folder, epochs=EPOCHS + 1, learning_rate=0.0)
    assert again == result


@pytest.mark.parametrize(("name", "value"), [("batch_size", 16), ("validation", 0)])
def test_not_even_a_fork_changes_the_place_in_the_data(name: str, value: int, small: Path, undisturbed: Path) -> None:
    before = snapshot(undisturbed)
    with pytest.raises(CapsauditError, match=f"{name} of this run is .*; expected the same, or another --output"):
        train(small, undisturbed, fork=True, **{name: value})
    assert snapshot(undisturbed) == before
