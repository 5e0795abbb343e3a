"""A run's folder: when it is begun, resumed or refused. Exactness is in test_resume, bad folders in tests/commands/test_train.py."""

from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError, FileError
from capsaudit.train.log import Log
from capsaudit.train.run import begin_or_resume, is_run, locked, read, steps_done
from tests.train.test_settings import settings


def test_a_run_begins_with_its_settings_and_empty_logs(tmp_path: Path) -> None:
    (tmp_path / ".hidden").touch()
    run = begin_or_resume(tmp_path, settings(), fork=False)
    assert is_run(tmp_path)
    assert (run.settings, run.checkpoint, run.steps.rows(), run.epochs.rows()) == (settings(), None, [], [])
    assert steps_done(tmp_path) == 0


def test_a_checkpoint_is_where_the_run_goes_on(tmp_path: Path) -> None:
    run = begin_or_resume(tmp_path, settings(), fork=False)
    run.steps.append({"step": 1})
    run.save(1, {"last.safetensors": b"1", "state.safetensors": b"1"})
    run.steps.append({"step": 2})
    again = begin_or_resume(tmp_path, settings(), fork=False)
    assert again.checkpoint is not None
    assert (again.checkpoint.manifest.step, steps_done(tmp_path)) == (1, 1)
    assert again.steps.rows() == [{"step": 1}]


def test_rows_without_any_checkpoint_are_not_overwritten(tmp_path: Path) -> None:
    run = begin_or_resume(tmp_path, settings(), fork=False)
    run.steps.append({"step": 1})
    with pytest.raises(FileError, match=r"manifest\.json: is missing; expected it beside steps\.jsonl"):
        begin_or_resume(tmp_path, settings(), fork=False)
    assert Log(tmp_path / "steps.jsonl").rows() == [{"step": 1}]


def test_a_folder_without_a_run_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"has no settings\.toml; expected the folder of a run"):
        read(tmp_path)


def test_a_folder_is_locked_until_the_end(tmp_path: Path) -> None:
    again = locked(tmp_path / "deep/run")
    with locked(tmp_path / "deep/run"), pytest.raises(CapsauditError, match="another process is training this run"):
        again.__enter__()
    with locked(tmp_path / "deep/run"):
        pass
