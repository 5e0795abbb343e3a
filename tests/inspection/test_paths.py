"""Opening files: only regular files are opened."""

import os
from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.paths import expect_file, open_file


def refusal(path: Path) -> str:
    with pytest.raises(CapsauditError) as caught:
        open_file(path)
    return str(caught.value)


def test_a_regular_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"content")
    with open_file(tmp_path / "net.pt") as stream:
        assert stream.read() == b"content"


def test_a_missing_file_is_reported_with_the_current_directory(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    assert refusal(path) == f"{path}: file not found (current directory: {Path.cwd()})"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: is a directory; expected a file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_without_opening_it(tmp_path: Path) -> None:
    """Opening it would wait for a writer."""
    os.mkfifo(tmp_path / "pipe.pt")
    assert refusal(tmp_path / "pipe.pt").endswith("is not a regular file")


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"")
    (tmp_path / "link.pt").symlink_to("net.pt")
    expect_file(tmp_path / "link.pt")


def test_an_impossible_path_is_reported(tmp_path: Path) -> None:
    assert "cannot be read: " in refusal(tmp_path / "a\0b.pt")
