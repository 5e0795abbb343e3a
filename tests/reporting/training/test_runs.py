"""Runs that are kept: what is read of them, and everything that can be wrong with their folders."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capsaudit.errors import CapsauditError
from capsaudit.reporting.training.runs import added_run, kept_run, training_runs
from capsaudit.train.checkpoint import Manifest
from capsaudit.train.log import extent
from tests.reporting.training.recorded import record, settings


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "epochs.jsonl").read_text().splitlines()]


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "epochs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def finish(folder: Path, *, step: int | None = None) -> Path:
    """Write the manifest of a run's last checkpoint."""
    log = (folder / "epochs.jsonl").read_bytes()
    last = rows_of(folder)[-1]["step"] if step is None else step
    manifest = Manifest(step=last, files={}, logs={"epochs.jsonl": extent(log)})
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
    return folder


def test_the_chosen_epoch_is_the_first_of_the_lowest_validation_error(tmp_path: Path) -> None:
    """The second and the third have the same one; the third has the lowest test error, which chooses nothing."""
    run = kept_run(record(tmp_path / "a", settings()))
    assert run.chosen is not None
    assert (run.chosen.epoch, run.last.epoch) == (2, 3)
    assert kept_run(record(tmp_path / "b", settings(validation=0))).chosen is None


def test_images_are_known_only_where_their_number_is(tmp_path: Path) -> None:
    """Another checksum, or a network of five of the ten classes, which is tested on fewer images."""
    run = kept_run(record(tmp_path / "a", settings()))
    assert run.images is not None
    assert (run.images.name, run.images.test_images) == ("MNIST", 10_000)
    other = record(tmp_path / "b", settings(more={"data_sha256": "0" * 64}), test=(1 / 3,) * 3)
    assert kept_run(other).images is None
    few = record(tmp_path / "c", settings(knobs=("digit_caps.classes=5",)), test=(1 / 3,) * 3)
    assert kept_run(few).images is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:2], "has 2 of 3 epochs; expected a finished training run"),
        (lambda rows: [*rows, rows[-1]], "has the epochs 1, 2, 3, 3; expected 1 to 3"),
        (lambda rows: [rows[1], rows[0], rows[2]], "has the epochs 2, 1, 3; expected 1 to 3"),
        (
            lambda rows: [*rows[:2], rows[2] | {"test_error": 0.00361}],
            "test_error of epoch 3 is 0.00361; expected a share",
        ),
        (lambda rows: [*rows[:2], rows[2] | {"test_error": 1.5}], "line 3 is no row of an epoch: .*test_error"),
        (lambda rows: [*rows[:2], {"epoch": 3}], "line 3 is no row of an epoch: .*step"),
    ],
)
def test_damaged_logs(tmp_path: Path, change: Any, message: str) -> None:
    folder = record(tmp_path / "a", settings())
    write_rows(folder, change(rows_of(folder)))
    with pytest.raises(CapsauditError, match=message):
        kept_run(folder)


def test_bytes_that_are_no_log(tmp_path: Path) -> None:
    folder = record(tmp_path / "a", settings())
    for content in (b"\xff\xfe\n", b"{\n", b"\n"):
        (folder / "epochs.jsonl").write_bytes(content)
        with pytest.raises(CapsauditError, match="line 1 is no row of an epoch"):
            kept_run(folder)
    (folder / "epochs.jsonl").unlink()
    with pytest.raises(CapsauditError, match=r"epochs\.jsonl: is missing"):
        kept_run(folder)


def test_a_run_is_added_when_its_last_checkpoint_is_written(tmp_path: Path) -> None:
    """Killed after the row of the last epoch, it is not finished: its weights are those of the checkpoint before."""
    folder = record(tmp_path / "runs" / "a", settings())
    with pytest.raises(CapsauditError, match=r"a: has no manifest\.json"):
        added_run(folder, tmp_path)
    with pytest.raises(CapsauditError, match="has a checkpoint of step 1,200 of 1,287"):
        added_run(finish(folder, step=1200), tmp_path)
    assert added_run(finish(folder), tmp_path).name == "a"
    write_rows(folder, [row | {"loss": 0.1} for row in rows_of(folder)])
    with pytest.raises(CapsauditError, match=r"is not the log that manifest\.json describes"):
        added_run(folder, tmp_path)


def test_another_run_of_the_same_name_is_never_replaced(tmp_path: Path) -> None:
    record(tmp_path / "training" / "a", settings())
    same = finish(record(tmp_path / "same" / "a", settings()))
    assert [run.name for run in training_runs(tmp_path, [same])] == ["a"]
    other = finish(record(tmp_path / "other" / "a", settings(seed=1)))
    with pytest.raises(CapsauditError, match=r"training/a: has another run than .*other/a"):
        training_runs(tmp_path, [other])
    with pytest.raises(CapsauditError, match="another run to add is named a too"):
        training_runs(tmp_path / "new", [same, other])


def test_a_copy_of_which_a_file_is_missing_is_completed(tmp_path: Path) -> None:
    """A process may be killed between the two files."""
    (record(tmp_path / "training" / "a", settings()) / "epochs.jsonl").unlink()
    with pytest.raises(CapsauditError, match="is missing"):
        training_runs(tmp_path, [])
    assert training_runs(tmp_path, [finish(record(tmp_path / "runs" / "a", settings()))])


def test_everything_that_is_wrong_is_reported_together(tmp_path: Path) -> None:
    (record(tmp_path / "training" / "a", settings()) / "epochs.jsonl").write_bytes(b"{")
    (record(tmp_path / "training" / "b", settings()) / "settings.toml").write_bytes(b"x")
    (tmp_path / "training" / "empty").mkdir()
    (tmp_path / "training" / "notes.md").write_text("a file is no run")
    with pytest.raises(CapsauditError) as raised:
        training_runs(tmp_path, [tmp_path / "nothing"])
    assert [fault.split(": ")[0] for fault in raised.value.faults] == [
        str(tmp_path / name) for name in ("nothing", "training/a/epochs.jsonl", "training/b/settings.toml")
    ]
