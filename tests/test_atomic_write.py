"""Files are written whole or not at all, nothing else is left behind, and what is no regular file is never replaced."""

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsaudit.atomic_write import sweep, write_atomically, write_together
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


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    write_atomically(tmp_path / "a.toml", b"x")
    assert stat.S_IMODE((tmp_path / "a.toml").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_an_existing_file_keeps_its_mode(tmp_path: Path, mode: int, umask: int) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode, umask


@pytest.mark.skipif(os.name != "posix", reason="only POSIX systems have these modes")
def test_a_private_file_is_never_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even as long as its temporary file has neither its owner nor its mode."""
    path, chown = tmp_path / "a.toml", os.chown
    path.write_bytes(b"old")
    path.chmod(0o600)
    modes: list[int] = []

    def watched(temporary: Path, owner: int, group: int) -> None:
        modes.append(stat.S_IMODE(temporary.stat().st_mode))
        chown(temporary, owner, group)

    monkeypatch.setattr(os, "chown", watched)
    write_atomically(path, b"new")
    assert modes == [0o600, 0o600]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_an_existing_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    write_atomically(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid, path.read_bytes()) == (1234, 2345, b"new")


def test_a_link_is_followed(tmp_path: Path) -> None:
    """Through a folder that is a link, and two links of which one is relative."""
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "there" / "a.toml").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "here" / "two").symlink_to(tmp_path / "here" / "one")
    (tmp_path / "here" / "one").symlink_to("../link/a.toml")
    write_atomically(tmp_path / "here" / "two", b"new")
    assert (tmp_path / "there" / "a.toml").read_bytes() == b"new"
    assert (tmp_path / "here" / "two").is_symlink()
    assert (tmp_path / "here" / "one").is_symlink()
    assert names(tmp_path / "there") == ["a.toml"]
    assert names(tmp_path / "here") == ["one", "two"]


def test_the_file_of_a_dangling_link_is_made(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a.toml")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a.toml").read_bytes() == b"new"
    assert names(tmp_path) == ["a.toml", "link"]


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    with pytest.raises(CapsauditError, match="one: cannot be written: Too many levels of symbolic links"):
        write_atomically(tmp_path / "one", b"new")
    (tmp_path / "folder").symlink_to("folder")
    with pytest.raises(CapsauditError, match="a: cannot be written: "):
        write_atomically(tmp_path / "folder" / "a", b"new")


class Reader:
    """Reads a named pipe to its end, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, b""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._read = self._path.read_bytes()

    def read(self) -> bytes:
        self._thread.join(timeout=30)
        return self._read


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    """Also through a link, and together with files; more than a pipe holds at once."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    reader, content = Reader(tmp_path / "pipe"), b"x" * 1_000_000
    write_together({tmp_path / "a": b"new", tmp_path / "link": content})
    assert reader.read() == content
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a", "link", "pipe"]


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    write_together({Path(f"/dev/fd/{writing}"): b"x" * 1_000_000, tmp_path / "a": b"new"})
    os.close(writing)
    assert (tmp_path / "a").read_bytes() == b"new"


DEVICE_NULL, DEVICE_FULL = 3, 7
"""Minor numbers of Linux's /dev/null and /dev/full, whose major number is 1."""


def device(path: Path, minor: int) -> Path:
    """A device of one's own. Tests never name the system's: a fault would replace it."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        path.open("wb").close()
    except (AttributeError, OSError):
        pytest.skip("devices cannot be made here")
    return path


def test_a_device_is_written_to(tmp_path: Path) -> None:
    path = device(tmp_path / "null", DEVICE_NULL)
    write_atomically(path, b"new")
    assert stat.S_ISCHR(path.stat().st_mode)
    assert names(tmp_path) == ["null"]


def test_a_full_device_is_an_error_and_no_file_is_replaced(tmp_path: Path) -> None:
    path = device(tmp_path / "full", DEVICE_FULL)
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(CapsauditError, match="full: cannot be written: No space left on device"):
        write_together({tmp_path / "a": b"new", path: b"new"})
    assert (tmp_path / "a").read_bytes() == b"old"
    assert stat.S_ISCHR(path.stat().st_mode)
    assert names(tmp_path) == ["a", "full"]


WRITE = "import sys; from pathlib import Path; from capsaudit.atomic_write import write_atomically; " + (
    "[write_atomically(Path(path), b'new ') for path in sys.argv[1:]]"
)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="descriptors have no paths on this system")
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_a_descriptor_is_written_to(tmp_path: Path, path: str) -> None:
    """A pipe; and a file, behind what was in it, which stays the same file."""
    if not Path(path).parent.exists():
        pytest.skip(f"there is no {path}")
    (tmp_path / "link").symlink_to("/dev/stdout")
    command = [sys.executable, "-c", WRITE, path, path]
    assert subprocess.run(command, stdout=subprocess.PIPE, cwd=tmp_path, check=True).stdout == b"new new "
    file = tmp_path / "file"
    file.write_bytes(b"old ")
    inode = file.stat().st_ino
    with file.open("ab") as stream:
        subprocess.run(command, stdout=stream, cwd=tmp_path, check=True)
    assert (file.read_bytes(), file.stat().st_ino) == (b"old new new ", inode)
    assert names(tmp_path) == ["file", "link"]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="descriptors have no paths on this system")
def test_a_socket_is_written_to_and_a_closed_descriptor_is_an_error() -> None:
    one, two = socket.socketpair()
    with one, two:
        write_atomically(Path(f"/dev/fd/{one.fileno()}"), b"new")
        assert two.recv(100) == b"new"
        closed = one.fileno()
    with pytest.raises(CapsauditError, match=f"/dev/fd/{closed}: cannot be written: Bad file descriptor"):
        write_atomically(Path(f"/dev/fd/{closed}"), b"new")


SLOW = """
import os, sys
from pathlib import Path
from capsaudit.atomic_write import write_together
os.fsync = lambda handle: (print(flush=True), sys.stdin.read())  # says that it writes, and waits
write_together({Path(path): b"half" for path in sys.argv[1:]})
"""


def writing(*paths: Path) -> "subprocess.Popen[bytes]":
    """A process that has written its first temporary file, and replaces nothing before its input ends."""
    command = [sys.executable, "-c", SLOW, *map(str, paths)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    return process


LONG = "x" * 250


@pytest.mark.skipif(os.name != "posix", reason="what a killed process left is removed on POSIX systems only")
@pytest.mark.parametrize("name", ["a.toml", "a b[1].*", LONG])
def test_what_a_killed_process_left_is_removed_when_the_file_is_written_again(tmp_path: Path, name: str) -> None:
    with writing(tmp_path / name) as process:
        assert len(names(tmp_path)) == 1
        process.kill()
    assert len(names(tmp_path)) == 1, "nothing was left, so this test shows nothing"
    write_atomically(tmp_path / "another", b"new")
    assert len(names(tmp_path)) == 2
    write_atomically(tmp_path / name, b"new")
    assert names(tmp_path) == sorted([name, "another"])


@pytest.mark.skipif(os.name != "posix", reason="what a killed process left is removed on POSIX systems only")
def test_what_a_living_process_writes_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    with writing(path) as process:
        write_atomically(path, b"new")
        assert path.read_bytes() == b"new"
        assert len(names(tmp_path)) == 2
        process.communicate()
    assert process.returncode == 0
    assert path.read_bytes() == b"half"
    assert names(tmp_path) == ["a.toml"]


def test_other_files_are_not_removed(tmp_path: Path) -> None:
    others = [
        ".a.toml.0123456789abcdef",
        ".a.toml.0123456789abcdef.capsaudit-tmp.mine",
        ".a.toml.x.0123456789abcdef.capsaudit-tmp",
        ".a.toml.0123456789abcdeg.capsaudit-tmp",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".a.toml.0123456789abcdef.capsaudit-tmp").symlink_to("elsewhere")
    before = names(tmp_path)
    sweep(tmp_path / "a.toml")
    assert names(tmp_path) == before


@pytest.mark.skipif(os.name != "posix", reason="files are locked on POSIX systems only")
def test_a_file_that_was_removed_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may see a new file before it is locked, and take it for one that was left."""
    import fcntl

    flock, path = fcntl.flock, tmp_path / "a.toml"
    seen: list[list[str]] = []

    def late(stream: object, how: int) -> None:
        if how == fcntl.LOCK_EX and not seen:
            seen.append(names(tmp_path))
            monkeypatch.setattr(fcntl, "flock", flock)
            sweep(path)
            seen.append(names(tmp_path))
        flock(stream, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", late)
    write_atomically(path, b"new")
    assert [len(found) for found in seen] == [1, 0]
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.toml"]


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


def test_a_folder_that_takes_no_files_is_refused() -> None:
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
