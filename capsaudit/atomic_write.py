"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from capsaudit.errors import CapsauditError


def write_whole(path: Path, content: str) -> None:
    """Write a file aside, then rename it.

    Raises:
        CapsauditError: it cannot be written there.
    """
    try:
        temporary = aside(path, content.encode())
    except OSError as error:
        raise CapsauditError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CapsauditError(f"{path}: cannot be written: {error.strerror}") from error


def aside(path: Path, content: bytes) -> Path:
    """The content in a new file of the same folder, so that a rename is enough; nothing is left where that fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(name).chmod(0o644)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)
