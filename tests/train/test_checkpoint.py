"""Checkpoints: the newest one that is whole. Killed processes and damage are in test_resume."""

import json
import os
from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError, FileError
from capsaudit.train import checkpoint
from capsaudit.train.checkpoint import BEST, LAST, MANIFEST, PREVIOUS, STATE
from capsaudit.train.log import extent

LOGS = {"steps.jsonl": extent(b"")}


def write(folder: Path, step: int, **contents: bytes) -> None:
    names = {"last": LAST, "state": STATE, "best": BEST}
    checkpoint.write(folder, step, {names[name]: content for name, content in contents.items()}, LOGS, kept=[BEST])


def test_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path) == (None, ())
    assert checkpoint.manifest_in(tmp_path) is None


def test_the_newest_one_and_the_one_before(tmp_path: Path) -> None:
    write(tmp_path, 1, last=b"1", state=b"one")
    write(tmp_path, 2, last=b"2", state=b"two", best=b"2")
    write(tmp_path, 3, last=b"3", state=b"three")
    found, faults = checkpoint.newest(tmp_path)
    assert found is not None
    assert (found.manifest.step, faults) == (3, ())
    assert found.contents == {LAST: b"3", STATE: b"three", BEST: b"2"}
    assert found.manifest.logs == LOGS
    before, _ = checkpoint.newest(tmp_path / PREVIOUS)
    assert before is not None
    assert before.contents == {LAST: b"2", STATE: b"two", BEST: b"2"}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([LAST, BEST, STATE, MANIFEST, PREVIOUS])


def test_the_one_before_is_put_into_place(tmp_path: Path) -> None:
    write(tmp_path, 1, last=b"1", state=b"one")
    write(tmp_path, 2, last=b"2", state=b"two")
    (tmp_path / STATE).write_bytes(b"three")
    found, faults = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.manifest.step == 1
    assert faults == (f"{tmp_path / STATE}: is damaged or of another run: its checksum is not the one in {MANIFEST}",)
    again, faults = checkpoint.newest(tmp_path)
    assert (again, faults) == (found, ())


def test_without_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", link)
    write(tmp_path, 1, last=b"1", state=b"one")
    write(tmp_path, 2, last=b"2", state=b"two")
    assert (tmp_path / PREVIOUS / LAST).read_bytes() == b"1"


def test_a_checkpoint_that_cannot_be_written_leaves_the_present_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1, last=b"1", state=b"one")

    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CapsauditError, match="cannot be written: No space left on device"):
        write(tmp_path, 2, last=b"2", state=b"two")
    found, faults = checkpoint.newest(tmp_path)
    assert found is not None
    assert (found.manifest.step, found.contents[LAST], faults) == (1, b"1", ())


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"step": "1", "files": {}, "logs": {}}', '{"step": 1, "files": {}, "logs": {}, "x": 1}']
)
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(FileError, match="is no manifest of a checkpoint"):
        checkpoint.manifest_in(tmp_path)


def test_a_manifest_names_no_other_files(tmp_path: Path) -> None:
    """It may have been written by anybody."""
    files = {"../other": {"bytes": 1, "sha256": ""}}
    (tmp_path / MANIFEST).write_text(json.dumps({"step": 1, "files": files, "logs": {}}))
    with pytest.raises(FileError, match=r"names \.\./other; expected last"):
        checkpoint.manifest_in(tmp_path)
