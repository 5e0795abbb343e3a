"""Files in a folder: the same bytes each time, all or none of them, and whether they are fresh."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.reporting.writing import FILES, outdated, publish, write

WRITE = "import sys; from pathlib import Path; from capsaudit.reporting.contents import gather; " + (
    "from capsaudit.reporting.writing import publish, written; publish(written(gather()), Path(sys.argv[1]))"
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_processes_write_the_same_bytes(tmp_path: Path, files: dict[str, bytes]) -> None:
    for seed, zone, language in (("1", "UTC", "C"), ("2", "Asia/Tokyo", "de_DE.UTF-8")):
        folder = tmp_path / seed
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": language, "PYTHONUTF8": "0"}
        done = subprocess.run(
            [sys.executable, "-c", WRITE, folder], env=environment, cwd=tmp_path, check=True, timeout=300
        )
        assert done.returncode == 0
        assert contents(folder) == files


def test_writing_then_checking(tmp_path: Path, files: dict[str, bytes]) -> None:
    folder = tmp_path / "deep" / "reports"
    checked = publish(files, folder, check=True)
    assert (checked.outdated, checked.agrees, checked.checked) == (FILES, False, True)
    assert not folder.exists()
    first = publish(files, folder)
    assert (first.files, first.outdated, first.agrees) == (FILES, FILES, True)
    assert contents(folder) == files
    assert publish(files, folder, check=True).agrees
    before = [(folder / name).stat().st_mtime_ns for name in FILES]
    assert publish(files, folder).outdated == ()
    assert [(folder / name).stat().st_mtime_ns for name in FILES] == before


def test_one_byte_or_a_missing_file_is_out_of_date(tmp_path: Path, files: dict[str, bytes]) -> None:
    write(tmp_path, files)
    assert outdated(tmp_path, files) == ()
    page = tmp_path / "audit.html"
    page.write_bytes(page.read_bytes()[:-1] + b" ")
    (tmp_path / "layers.svg").unlink()
    (tmp_path / "mine.md").write_text("other files are nobody's business")
    assert outdated(tmp_path, files) == ("audit.html", "layers.svg")
    write(tmp_path, files)
    assert outdated(tmp_path, files) == ()
    assert (tmp_path / "mine.md").exists()


def test_what_cannot_be_written_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(CapsauditError, match=r"reports: cannot be written: File exists"):
        write(tmp_path / "reports", {"audit.md": b"new"})
    (tmp_path / "folder" / "b").mkdir(parents=True)
    with pytest.raises(CapsauditError, match=r"b: cannot be written: Is a directory"):
        write(tmp_path / "folder", {"a": b"new", "b": b"new"})
    (tmp_path / "folder" / "c").write_text("a file")
    with pytest.raises(CapsauditError, match=r"folder/c: cannot be written: File exists"):
        write(tmp_path / "folder", {"a": b"new", "c/d": b"new"})
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["b", "c"]
    with pytest.raises(CapsauditError, match=r"b: cannot be read: Is a directory"):
        outdated(tmp_path / "folder", {"b": b"new"})


def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = dict.fromkeys(FILES, b"old")
    write(tmp_path, old)
    fsync, synced = os.fsync, []

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) == FILES.index("audit.json") + 1:
            raise OSError(28, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CapsauditError, match=r"audit.json: cannot be written: No space left on device"):
        write(tmp_path, dict.fromkeys(FILES, b"new"))
    assert contents(tmp_path) == old


@pytest.mark.skipif(os.name != "posix", reason="there are no named pipes on this system")
def test_a_pipe_is_out_of_date_and_is_not_read(tmp_path: Path) -> None:
    """Reading it would wait for a writer that never comes."""
    os.mkfifo(tmp_path / "a")
    assert outdated(tmp_path, {"a": b"new"}) == ("a",)


@pytest.mark.skipif(os.name != "posix", reason="what a killed process left is removed on POSIX systems only")
def test_what_a_killed_process_left_is_removed_where_nothing_is_out_of_date(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    write(tmp_path, files)
    left = tmp_path / ".audit.md.0123456789abcdef.capsaudit-tmp"
    left.write_bytes(b"half")
    publish(files, tmp_path, check=True)
    assert left.exists(), "--check writes nothing"
    publish(files, tmp_path)
    assert not left.exists()
