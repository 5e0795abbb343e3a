"""An index of shards, `model.safetensors.index.json` or `pytorch_model.bin.index.json`: which file has which tensor.

Format: the function `split_torch_state_dict_into_shards` of huggingface_hub writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.json_files import read_json
from capsaudit.inspection.files.parts import Contents, Parts, choose, joined, refuse, with_notes
from capsaudit.inspection.files.read import kind_of, reader
from capsaudit.validation import shown


class _Index(Struct):
    weight_map: dict[str, str]
    metadata: dict[str, object] = {}


def read(path: Path) -> Parts:
    """Read all shards of an index, which lie beside it.

    Raises:
        CapsauditError: the index or a shard cannot be read, or they do not have the same tensors.
    """
    index = read_json(path, _Index)
    names: dict[str, set[str]] = {}
    for tensor, file in index.weight_map.items():
        names.setdefault(file, set()).add(tensor)
    refuse([f"{path}: {shown(file)} is not the name of a file beside it" for file in names if not _is_beside(file)])
    shards = {file: read_shard(path.parent / file) for file in sorted(names)}
    refuse([f"{path}: {fault}" for fault in _differences(names, shards)])
    found = joined(path, shards.items())
    note = f"{len(shards):,} shards by {path.name}"
    return {"": with_notes(found, note, *_size_notes(path, index, found))}


def read_shard(path: Path) -> Contents:
    """One of the files that have a network together.

    Raises:
        CapsauditError: it cannot be read, or is an index itself.
    """
    if kind_of(path).name == "index":
        raise CapsauditError(f"{path}: is an index; expected a shard, a file of weights")
    return choose(reader(path)(path), None, path)


def _is_beside(file: str) -> bool:
    """Whether it is a plain name, so that no file elsewhere is opened."""
    return (
        file not in ("", ".", "..")
        and "\0" not in file
        and PurePosixPath(file).name == PureWindowsPath(file).name == file
    )


def _differences(names: Mapping[str, set[str]], shards: Mapping[str, Contents]) -> Iterator[str]:
    for file, found in shards.items():
        present = {tensor.name for tensor in found.tensors}
        yield from (f"{shown(name)} is not in {file}" for name in sorted(names[file] - present))
        yield from (f"{shown(name)}, which {file} has, is not in the index" for name in sorted(present - names[file]))


def _size_notes(path: Path, index: _Index, found: Contents) -> Iterator[str]:
    stated, size = index.metadata.get("total_size"), sum(tensor.bytes for tensor in found.tensors)
    if stated is not None and stated != size:
        yield f"{path.name} states total_size {shown(stated)}; the tensors of its shards have {size:,} bytes"
