"""The only way in which files are written.

A regular file is written whole or not at all: to a temporary file beside it, which then replaces it. A device, a pipe or a descriptor
is written to. A temporary file is locked as long as its process lives: one that is not locked was left by a process that was killed,
and is removed when the same file is written again.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from capsaudit.errors import CapsauditError
from capsaudit.signals import temporary_files

if LOCKS := os.name == "posix":  # on Windows nothing is locked, and nothing that a killed process left is removed
    import fcntl

_SUFFIX = ".capsaudit-tmp"
_MOST_LINKS = 40
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/[0-9]+(/task/[0-9]+)?/fd")
"""Folders whose entries are the open files of a process."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        CapsauditError: it cannot be written there.
    """
    write_together({path: content})


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write several files: all of them are written to temporary files before the first one is replaced.

    Raises:
        CapsauditError: one of them cannot be written; no regular file is changed then.
    """
    path = Path()
    sendings: dict[Path, Callable[[], object]] = {}
    replacements: dict[Path, Callable[[], object]] = {}
    try:
        with ExitStack() as stack:
            for path, content in files.items():
                target = _target(path)
                if _is_written_to(target):
                    sendings[path] = partial(_send, target, content)
                else:
                    temporary = stack.enter_context(_written_beside(target, content))
                    replacements[path] = partial(temporary.replace, target)
            for path, step in (sendings | replacements).items():  # noqa: B007  # the message names it
                step()
    except (OSError, ValueError) as error:
        raise CapsauditError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error


def sweep(path: Path) -> None:
    """Remove what processes that were killed while they wrote this file have left beside it."""
    if not LOCKS:
        return
    with suppress(OSError):
        target = _target(path)
        left = re.compile(f"{re.escape(_prefix(target))}[0-9a-f]{{16}}{re.escape(_SUFFIX)}")
        for other in target.parent.iterdir():
            if left.fullmatch(other.name):
                _remove_unlocked(other)


def _target(path: Path) -> Path:
    """The file that a path names. Symbolic links are followed, apart from those that stand for descriptors."""
    for _ in range(_MOST_LINKS):
        path = Path(os.path.realpath(path.parent), path.name)
        if _DESCRIPTORS.fullmatch(str(path.parent)) or not path.is_symlink():
            return path
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_written_to(target: Path) -> bool:
    """Whether it is written to: a device, a pipe, a descriptor. A regular file is replaced, or made."""
    if _DESCRIPTORS.fullmatch(str(target.parent)):
        return True
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return not stat.S_ISREG(mode)


def _send(target: Path, content: bytes) -> None:
    """Write to what is no regular file. A reader that has seen enough is no error."""
    with suppress(BrokenPipeError), os.fdopen(_opened(target), "wb") as stream:
        stream.write(content)


def _opened(target: Path) -> int:
    """A descriptor of this process is duplicated: it may be a socket, or a file with a position of its own."""
    own = _DESCRIPTORS.fullmatch(str(target.parent)) and target.parts[2] in ("fd", str(os.getpid()))
    if own and target.name.isdecimal():
        return os.dup(int(target.name))
    return os.open(target, os.O_WRONLY | os.O_APPEND)


@contextmanager
def _written_beside(target: Path, content: bytes) -> Iterator[Path]:
    """The content in a temporary file, which is gone after the block. Its name is recorded before it is made: a signal may come at
    any time.
    """
    sweep(target)
    temporary = target.with_name(f"{_prefix(target)}{os.urandom(8).hex()}{_SUFFIX}")
    temporary_files.add(str(temporary))
    try:
        with _made(temporary, target) as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            if not LOCKS:
                stream.close()  # Windows replaces no open file
            yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink()
        temporary_files.discard(str(temporary))


def _prefix(target: Path) -> str:
    """How the names of its temporary files begin; of a very long name, with its beginning only."""
    return f".{target.name[:40]}."


def _made(temporary: Path, target: Path) -> BinaryIO:
    """An empty, locked file with the mode and, where that is possible, the owner of the one that it will replace."""
    before = target.stat() if target.exists() else None
    opener = partial(os.open, mode=0o666 if before is None else 0o600)
    while True:
        stream = open(temporary, "xb", opener=opener)  # noqa: SIM115  # Path.open has no opener
        if _is_locked(stream, temporary):
            break
        stream.close()
    if before is not None:
        for owner in ((before.st_uid, -1), (-1, before.st_gid)):
            with suppress(OSError, AttributeError):  # not allowed, or Windows
                os.chown(temporary, *owner)
        temporary.chmod(stat.S_IMODE(before.st_mode))
    return stream


def _is_locked(stream: BinaryIO, path: Path) -> bool:
    """Lock a new file. False: another process saw it before it was locked, and has removed it."""
    if LOCKS:
        with suppress(OSError):  # file systems without locks: nothing is removed from them either
            fcntl.flock(stream, fcntl.LOCK_EX)
    return path.exists()


def _remove_unlocked(path: Path) -> None:
    """Remove a temporary file if no process has locked it."""
    with suppress(OSError):  # locked, or no longer there
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(handle)
