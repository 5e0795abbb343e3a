"""The report as files: their contents, whether those in a folder are up to date, and writing them."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from capsaudit.atomic_write import sweep, write_together
from capsaudit.errors import CapsauditError
from capsaudit.render.escaping import with_escapes
from capsaudit.render.json import as_json
from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.pages import pages
from capsaudit.reporting.pictures import pictures
from capsaudit.results import Report
from capsaudit.text import valid

FILES = ("audit.md", "audit.html", "audit.json", "waterfall.svg", "layers.svg", "figures.svg")


def publish(files: Mapping[str, bytes], folder: Path, *, check: bool = False) -> Report:
    """Write the files of the report into a folder, or with `check` only determine which of them are out of date.

    Raises:
        CapsauditError: a file cannot be read or written.
    """
    found = outdated(folder, files)
    if found and not check:
        write(folder, files)
    elif not check:
        for name in files:
            sweep(folder / name)
    return Report(folder=str(folder), files=tuple(map(valid, files)), outdated=tuple(map(valid, found)), checked=check)


def written(contents: ReportContents) -> dict[str, bytes]:
    """Each file's content. The same contents give the same bytes."""
    safe = with_escapes(contents)
    drawn = pictures(safe)
    texts = (
        pages(safe, drawn) | {"audit.json": as_json(contents) + "\n"} | {name: each.svg for name, each in drawn.items()}
    )
    return {name: texts[name].encode() for name in FILES}


def outdated(folder: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The files that are missing or have other contents. A device or a pipe has none.

    Raises:
        CapsauditError: a file is there and cannot be read.
    """
    return tuple(name for name, content in files.items() if _content(folder / name) != content)


def _content(path: Path) -> bytes | None:
    try:
        mode = path.stat().st_mode
        return path.read_bytes() if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CapsauditError(f"{path}: cannot be read: {error.strerror or error}") from error


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write every file, or none where one of them cannot be written: a full disk leaves the folder as it was.

    Raises:
        CapsauditError: the folder or a file cannot be written.
    """
    for place in dict.fromkeys([folder, *((folder / name).parent for name in files)]):
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CapsauditError(f"{place}: cannot be written: {error.strerror or error}") from error
    write_together({folder / name: content for name, content in files.items()})
