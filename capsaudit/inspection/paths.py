"""Files named for an audit: opened only where they are files. A directory has no bytes, and a pipe or a device may never end."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from capsaudit.errors import CapsauditError


def open_file(path: Path) -> BinaryIO:
    """A regular file, opened to read.

    Raises:
        CapsauditError: there is none, it is something else, or it cannot be read.
    """
    expect_file(path)
    try:
        return path.open("rb")
    except OSError as error:
        raise CapsauditError(f"{path}: cannot be read: {error.strerror}") from error


def expect_file(path: Path) -> None:
    """Say what is there instead of a file.

    Raises:
        CapsauditError: there is nothing, or no regular file.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise CapsauditError(f"{path}: there is no such file, seen from {Path.cwd()}") from error
    except (OSError, ValueError) as error:
        raise CapsauditError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(mode):
        raise CapsauditError(
            f"{path}: is {'a directory' if stat.S_ISDIR(mode) else 'no regular file'}; expected a file"
        )
