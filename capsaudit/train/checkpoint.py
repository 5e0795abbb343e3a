"""The checkpoint in a run's folder, and the one before it in `previous/`: files that a manifest, written last, makes one.

A process may be killed between the replacement of two files. Then the manifest tells that they do not belong together, and the
checkpoint before is used, which is never touched while the files of the present one are replaced.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from capsaudit.atomic_write import write_together
from capsaudit.errors import CapsauditError, FileError
from capsaudit.train.log import Extent, extent

LAST, BEST, STATE, MANIFEST = "last.safetensors", "best.safetensors", "state.safetensors", "manifest.json"
PREVIOUS = "previous"


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What belongs to a checkpoint after so many steps: its files, and how far the logs reached."""

    step: int
    files: dict[str, Extent]
    logs: dict[str, Extent]


class Checkpoint(Struct, frozen=True):
    """A checkpoint whose files are all there: the folder that they are in, the manifest, and the content of each file."""

    folder: Path
    manifest: Manifest
    contents: dict[str, bytes]


def write(
    folder: Path, step: int, contents: Mapping[str, bytes], logs: Mapping[str, Extent], kept: Iterable[str]
) -> None:
    """Make this the checkpoint of a run. `kept`: files of the present one that belong to it as well.

    Raises:
        CapsauditError: it cannot be written; the present one stays.
    """
    present = manifest_in(folder)
    files = {name: extent(content) for name, content in contents.items()}
    if present is not None:
        files |= {name: present.files[name] for name in kept if name in present.files and name not in files}
        _keep(folder, present)
    manifest = Manifest(step=step, files=files, logs=dict(logs))
    _replace(folder, contents, manifest)


def newest(folder: Path) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """The newest checkpoint that is whole, and what is wrong with a newer one. It is put into place, where it was in `previous/`.

    Raises:
        FileError: there are checkpoints, but none is whole.
    """
    found, faults = newest_whole(folder)
    if found is not None and faults:
        _replace(folder, found.contents, found.manifest)
        found = msgspec.structs.replace(found, folder=folder)
    return found, faults


def newest_whole(folder: Path) -> tuple[Checkpoint | None, tuple[str, ...]]:
    """The same, and nothing is written: the run may be training.

    Raises:
        FileError: there are checkpoints, but none is whole.
    """
    if not any((place / MANIFEST).exists() for place in (folder, folder / PREVIOUS)):
        return None, ()
    try:
        return _read(folder), ()
    except FileError as error:
        faults = error.faults
    try:
        return _read(folder / PREVIOUS), faults
    except FileError as error:
        raise FileError(*faults, *error.faults) from error


def manifest_in(folder: Path) -> Manifest | None:
    """The manifest of the checkpoint in a folder; None where there is none.

    Raises:
        FileError: it is no manifest.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise FileError(f"{path}: is no manifest of a checkpoint: {error}") from error
    if unknown := sorted({*manifest.files} - {LAST, BEST, STATE}):
        raise FileError(f"{path}: names {unknown[0]}; expected {LAST}, {BEST} and {STATE}")
    return manifest


def _replace(folder: Path, contents: Mapping[str, bytes], manifest: Manifest) -> None:
    """The manifest is the last file that is replaced."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    write_together({folder / name: content for name, content in contents.items()} | {folder / MANIFEST: text})


def _keep(folder: Path, present: Manifest) -> None:
    """Make `previous/` the present checkpoint, by links to its files: they are replaced, never written to."""
    made, previous = folder / f"{PREVIOUS}.new", folder / PREVIOUS
    try:
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        for name in (*present.files, MANIFEST):
            _link(folder / name, made / name)
        shutil.rmtree(previous, ignore_errors=True)
        made.rename(previous)
    except OSError as error:
        raise CapsauditError(f"{previous}: cannot be written: {error.strerror}") from error


def _link(file: Path, link: Path) -> None:
    try:
        os.link(file, link)
    except OSError:  # a file system without links
        shutil.copy2(file, link)


def _read(folder: Path) -> Checkpoint:
    manifest = manifest_in(folder)
    if manifest is None:
        raise FileError(f"{folder / MANIFEST}: is missing")
    contents = {name: _checked(folder / name, wanted) for name, wanted in manifest.files.items()}
    return Checkpoint(folder, manifest, contents)


def _checked(path: Path, wanted: Extent) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error
    if extent(content) != wanted:
        raise FileError(f"{path}: is damaged or of another run: its checksum is not the one in {MANIFEST}")
    return content
