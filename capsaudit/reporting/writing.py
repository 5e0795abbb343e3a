"""The report as files: what they hold, whether those in a folder are still that, and how they get there."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from capsaudit.atomic_write import aside
from capsaudit.errors import CapsauditError
from capsaudit.render.json import as_json
from capsaudit.reporting.contents import WrittenAudit
from capsaudit.reporting.pages import pages
from capsaudit.reporting.pictures import pictures
from capsaudit.results import Report

FILES = ("audit.md", "audit.html", "audit.json", "waterfall.svg", "layers.svg", "figures.svg")


def publish(audit: WrittenAudit, folder: Path, *, check: bool = False) -> Report:
    """Write the files of an audit into a folder, or only say which of those there are not what would be written.

    Raises:
        CapsauditError: a file cannot be read or written.
    """
    files = written(audit)
    found = stale(folder, files)
    if found and not check:
        write(folder, files)
    return Report(folder=str(folder), files=tuple(files), stale=found, checked=check)


def written(audit: WrittenAudit) -> dict[str, bytes]:
    """Each file's content. The same audit gives the same bytes."""
    drawn = pictures(audit)
    texts = (
        pages(audit, drawn) | {"audit.json": as_json(audit) + "\n"} | {name: each.svg for name, each in drawn.items()}
    )
    return {name: texts[name].encode() for name in FILES}


def stale(folder: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The files that are missing or that hold something else.

    Raises:
        CapsauditError: a file is there and cannot be read.
    """
    return tuple(name for name, content in files.items() if _content(folder / name) != content)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CapsauditError(f"{path}: cannot be read: {error.strerror or error}") from error


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write every file aside, and rename them only when all of them could be written: a full disk leaves the folder as it was.

    Raises:
        CapsauditError: the folder or a file cannot be written.
    """
    written_aside: dict[Path, Path] = {}
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            path = folder / name
            written_aside[path] = aside(path, content)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        for path, temporary in written_aside.items():
            temporary.replace(path)
    except OSError as error:
        raise CapsauditError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        for temporary in written_aside.values():
            temporary.unlink(missing_ok=True)
