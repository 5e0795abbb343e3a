"""Files are written whole or not at all, and nothing else is left behind."""

import errno
import os
import stat
from pathlib import Path

import pytest

from capsaudit.atomic_write import temporary_beside, write_atomically, write_together
from capsaudit.errors import CapsauditError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.toml"]


def test_everyone_may_read_what_was_written(tmp_path: Path) -> None:
    """A temporary file is its owner's alone; the file is not."""
    path = tmp_path / "a.toml"
    write_atomically(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with temporary_beside(tmp_path / "b.svg") as temporary:
        temporary.write_bytes(b"y")
    assert stat.S_IMODE((tmp_path / "b.svg").stat().st_mode) == 0o644


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"old")
    with pytest.raises(CapsauditError, match=r"a\.toml: cannot be written: No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.toml"]


def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "a.toml"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.toml"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(CapsauditError, match=r"a: cannot be written: Is a directory"):
        write_atomically(tmp_path / "a", b"x")
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CapsauditError, match=r"absent/a\.toml: cannot be written: No such file or directory"):
        write_atomically(tmp_path / "absent" / "a.toml", b"x")
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CapsauditError, match=r"file/a\.toml: cannot be written: Not a directory"):
        write_atomically(tmp_path / "file" / "a.toml", b"x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CapsauditError, match=r"a\.toml: cannot be written: Permission denied"):
        write_atomically(tmp_path / "a.toml", b"x")
    tmp_path.chmod(0o700)
    assert names(tmp_path) == []


def test_a_device_that_takes_no_bytes_is_refused() -> None:
    with pytest.raises(CapsauditError, match=r"/proc/a: cannot be written: "):
        write_atomically(Path("/proc/a"), b"x")


def test_several_files_are_written_or_none(tmp_path: Path) -> None:
    write_together({tmp_path / "a": b"old", tmp_path / "b": b"old"})
    (tmp_path / "folder").mkdir()
    with pytest.raises(CapsauditError, match=r"folder: cannot be written: Is a directory"):
        write_together({tmp_path / "a": b"new", tmp_path / "folder": b"new", tmp_path / "b": b"new"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"old"
    assert names(tmp_path) == ["a", "b", "folder"]


def test_no_file_is_replaced_before_all_of_them_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")
    synced: list[bytes] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        synced.append((tmp_path / "a").read_bytes())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write_together({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert synced == [b"old", b"old"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_no_files_at_all_are_written(tmp_path: Path) -> None:
    write_together({})
    assert names(tmp_path) == []


def test_a_temporary_file_replaces_the_other_where_the_block_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "curve.svg"
    path.write_bytes(b"old")
    with temporary_beside(path) as temporary:
        assert temporary.suffix == ".svg"  # libraries choose the format by it
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["curve.svg"]


def test_a_temporary_file_is_gone_where_the_block_fails(tmp_path: Path) -> None:
    path = tmp_path / "curve.svg"
    path.write_bytes(b"old")

    def draw() -> None:
        with temporary_beside(path) as temporary:
            temporary.write_bytes(b"half")
            raise ValueError("half a picture")

    with pytest.raises(ValueError, match="half a picture"):
        draw()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["curve.svg"]
