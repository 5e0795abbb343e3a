"""Opening the file of a target. Only regular files are opened: reading a pipe or a device may never end."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from capsaudit.errors import CapsauditError


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        CapsauditError: `path` does not exist, is not a regular file, or cannot be read.
    """
    expect_file(path)
    try:
        return path.open("rb")
    except OSError as error:
        raise CapsauditError(f"{path}: cannot be read: {error.strerror}") from error


def expect_file(path: Path) -> None:
    """Check that `path` is a regular file.

    Raises:
        CapsauditError: `path` does not exist or is not a regular file.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        raise CapsauditError(f"{path}: file not found (current directory: {Path.cwd()})") from error
    except (OSError, ValueError) as error:
        raise CapsauditError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(mode):
        raise CapsauditError(f"{path}: is a directory; expected a file")
    if not stat.S_ISREG(mode):
        raise CapsauditError(f"{path}: is not a regular file")
