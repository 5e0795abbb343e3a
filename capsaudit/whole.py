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
    aside: str | None = None
    try:
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(content)
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except OSError as error:
        raise CapsauditError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if aside is not None:
            Path(aside).unlink(missing_ok=True)
