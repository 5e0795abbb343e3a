"""The log: rows that are there at once, and that are cut where a checkpoint ends."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError, FileError
from capsaudit.train.log import Extent, Log, extent


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "steps.jsonl")


def test_rows_are_lines_of_json(log: Log) -> None:
    log.append({"step": 1, "loss": 0.1})
    log.append({"step": 2, "loss": 1e-9})
    assert log.path.read_bytes() == b'{"step": 1, "loss": 0.1}\n{"step": 2, "loss": 1e-09}\n'
    assert log.rows() == [{"step": 1, "loss": 0.1}, {"step": 2, "loss": 1e-9}]


def test_a_log_without_a_file_has_no_rows(log: Log) -> None:
    assert log.rows() == []
    log.make()
    assert log.path.read_bytes() == b""


def test_making_it_again_changes_nothing(log: Log) -> None:
    log.append({"step": 1})
    os.utime(log.path, ns=(1, 1))
    log.make()
    assert (log.path.stat().st_mtime_ns, log.rows()) == (1, [{"step": 1}])


def test_numbers_that_json_does_not_have_are_refused(log: Log) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.append({"loss": float("nan")})
    assert log.rows() == []


def test_half_a_row_is_none(log: Log) -> None:
    log.path.write_bytes(b'{"step": 1}\n{"st')
    assert log.rows() == [{"step": 1}]


def test_how_far_it_reaches(log: Log) -> None:
    log.append({"step": 1})
    assert log.sync() == Extent(bytes=12, sha256=hashlib.sha256(b'{"step": 1}\n').hexdigest())


def test_what_follows_a_checkpoint_is_cut(log: Log) -> None:
    log.append({"step": 1})
    kept = log.sync()
    log.append({"step": 2})
    log.cut(kept)
    assert log.path.read_bytes() == b'{"step": 1}\n'
    log.cut(extent(b""))
    assert log.path.read_bytes() == b""


@pytest.mark.parametrize("content", [b'{"step": 1}', b'{"step": 7}\n', b""])
def test_a_log_that_is_not_the_one_of_the_checkpoint_is_left_as_it_is(log: Log, content: bytes) -> None:
    log.append({"step": 1})
    kept = log.sync()
    log.path.write_bytes(content)
    with pytest.raises(FileError, match="its first 12 bytes are not those of the last checkpoint"):
        log.cut(kept)
    assert log.path.read_bytes() == content


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a device of Linux")
def test_a_full_disk_is_a_message() -> None:
    with pytest.raises(CapsauditError, match="/dev/full: cannot be written: No space left on device"):
        Log(Path("/dev/full")).append({"step": 1})


def test_a_directory_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        Log(tmp_path).rows()
