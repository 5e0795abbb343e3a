"""From a path to the tensors that are counted: those of a file, or of a folder."""

from __future__ import annotations

from pathlib import Path

from capsaudit.inspection.files.folder import quantization
from capsaudit.inspection.files.folder import read as read_folder
from capsaudit.inspection.files.packed import unpacked
from capsaudit.inspection.files.parts import Contents, choose, with_notes
from capsaudit.inspection.files.read import reader
from capsaudit.inspection.files.shards import incompleteness


def contents(path: Path, part: str | None = None) -> Contents:
    """The tensors of a file or folder, or of its network `part`.

    Raises:
        CapsauditError: it cannot be read, there is no such part, or it has several networks of which none is chosen.
    """
    if path.is_dir():
        return unpacked(choose(read_folder(path), part, path), quantization(path))
    found = unpacked(choose(reader(path)(path), part, path), {})
    incomplete = incompleteness(path)
    return found if incomplete is None else with_notes(found, f"{path.name} {incomplete}")
