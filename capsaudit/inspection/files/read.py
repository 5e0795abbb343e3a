"""The reader of a file is chosen by what is in the file, by its name only where that does not tell."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.parts import Parts
from capsaudit.inspection.kinds import HEAD_BYTES, SUFFIXES, FileKind, kind_by_content, kind_by_name
from capsaudit.inspection.paths import open_file


def reader(path: Path) -> Callable[[Path], Parts]:
    """The function that reads a file, imported now: what it imports may take longer than reading.

    Raises:
        CapsauditError: the file cannot be read, or is of no kind that is known.
    """
    module = import_module(f"capsaudit.inspection.files.{kind_of(path).module}")
    read: Callable[[Path], Parts] = module.read
    return read


def kind_of(path: Path) -> FileKind:
    """The kind of a file.

    Raises:
        CapsauditError: the file cannot be read, or is of no kind that is known.
    """
    with open_file(path) as stream:
        head = stream.read(HEAD_BYTES)
    named = kind_by_name(path.name)
    if named is not None and named.begins(head):  # where two kinds begin alike, the name decides
        return named
    if (kind := kind_by_content(head) or named) is None:
        raise CapsauditError(f"{path}: is no file of weights; expected one of: {', '.join(SUFFIXES)}")
    return kind
