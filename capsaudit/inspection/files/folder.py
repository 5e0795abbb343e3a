"""A folder with weights, as a repository of a model has them: its shards, a single file, an adapter, or networks in folders of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.index import read as read_index
from capsaudit.inspection.files.index import read_shard
from capsaudit.inspection.files.json_files import read_json
from capsaudit.inspection.files.parts import Contents, Parts, joined, with_notes
from capsaudit.inspection.files.shards import index_name, shard_of
from capsaudit.inspection.kinds import SUFFIXES, kind_by_name
from capsaudit.validation import shown

LARGEST_FOLDER = 100_000
"""How many entries a folder may have."""

_FORMATS = (".safetensors", ".bin", ".pth", ".pt", ".ckpt", ".h5", ".hdf5", ".gguf")
"""In order of precedence: a repository may have its weights in several formats. Every kind of files with weights has its suffixes here."""

_USUAL = ("adapter_model", "model", "diffusion_pytorch_model", "pytorch_model")
"""Names that libraries look for, in order of precedence, where a format has several files."""

_NO_WEIGHTS = re.compile(r"optim|schedul|scaler|rng_state|random_states|training_args|trainer_state", re.IGNORECASE)
"""Files of a training run beside its weights."""

_MAX_SHOWN = 10


def read(folder: Path) -> Parts:
    """Read the weights in a folder: those of the format that comes first. Without any, those of the folders in it.

    Raises:
        CapsauditError: the folder or a file in it cannot be read, or it has no weights.
    """
    names, folders = _entries(folder)
    if whole := _networks(names):
        return _own(folder, whole, [f"{each.name}/" for each in folders if _networks(_entries(each)[0])])
    parts = {each.name: _only(read(each), each) for each in folders if _networks(_entries(each)[0])}
    if not parts:
        raise CapsauditError(f"{folder}: has no file of weights; expected one of: {', '.join(SUFFIXES)}")
    return parts


def _entries(folder: Path) -> tuple[list[str], list[Path]]:
    """The names of its files, and the folders in it."""
    files: list[str] = []
    folders: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    files.append(entry.name)
                elif entry.is_dir() and not entry.name.startswith("."):
                    folders.append(folder / entry.name)
                if len(files) + len(folders) > LARGEST_FOLDER:
                    raise CapsauditError(f"{folder}: has more than {LARGEST_FOLDER:,} entries")
    except OSError as error:
        raise CapsauditError(f"{folder}: cannot be read: {error.strerror}") from error
    return sorted(files), sorted(folders)


def _networks(names: Sequence[str]) -> dict[str, list[str]]:
    """The files of each network, by the name that it would have as a single file: an index, a file, or shards without an index."""
    found: dict[str, list[str]] = {}
    for name in names:
        if kind_by_name(name) is None or _NO_WEIGHTS.search(name):
            continue
        shard = shard_of(name)
        if shard is None or index_name(shard.whole) not in names:
            found.setdefault(shard.whole if shard else name.removesuffix(".index.json"), []).append(name)
    return found


def _own(folder: Path, whole: Mapping[str, list[str]], folders: Sequence[str]) -> Parts:
    """The networks of the format that comes first; by its name the one that libraries load, if it has several."""
    first = min((_rank(name) for name in whole), default=0)
    chosen = [name for name in whole if _rank(name) == first]
    usual = [name for stem in _USUAL for name in chosen if name == f"{stem}{_FORMATS[first]}"]
    counted = usual[:1] or chosen
    others = [*(name for name in whole if name not in counted), *folders]
    notes = [*_others_note(others), *_configuration_notes(folder)]
    return {name: with_notes(_read_network(folder, name, whole[name]), *notes) for name in counted}


def _rank(name: str) -> int:
    return next(number for number, suffix in enumerate(_FORMATS) if name.lower().endswith(suffix))


def _others_note(names: Sequence[str]) -> Iterator[str]:
    if names:
        more = ", …" if len(names) > _MAX_SHOWN else ""
        yield f"not counted, beside it: {', '.join(map(shown, names[:_MAX_SHOWN]))}{more}"


def _read_network(folder: Path, whole: str, files: Sequence[str]) -> Contents:
    if (index := index_name(whole)) in files:
        return _only(read_index(folder / index), folder / index)
    if len(files) == 1 and shard_of(files[0]) is None:
        return with_notes(read_shard(folder / files[0]), f"counted is {files[0]}")
    shards = [shard for shard in map(shard_of, files) if shard]
    total = max(shard.total for shard in shards)
    if missing := sorted({*range(1, total + 1)} - {shard.number for shard in shards}):
        raise CapsauditError(
            f"{folder}: has {len(files):,} of {total:,} shards of {whole}; missing: {_numbers(missing)}; to count one alone, name its file"
        )
    found = joined(folder, ((name, read_shard(folder / name)) for name in files))
    return with_notes(found, f"{total:,} shards of {whole}, which have no index")


def _numbers(missing: Sequence[int]) -> str:
    return ", ".join(map(str, missing[:_MAX_SHOWN])) + ", …" * (len(missing) > _MAX_SHOWN)


def _only(parts: Parts, path: Path) -> Contents:
    if len(parts) != 1:
        raise CapsauditError(f"{path}: contains {len(parts):,} networks; audit one of its files", choices=list(parts))
    return next(iter(parts.values()))


def quantization(folder: Path) -> dict[str, object]:
    """What the folder's config.json says of how weights are packed; empty if it says nothing.

    Raises:
        CapsauditError: the file cannot be read.
    """
    stated = _configuration(folder, "config.json").get("quantization_config")
    return stated if isinstance(stated, dict) else {}


def _configuration(folder: Path, name: str) -> dict[str, object]:
    return read_json(folder / name, dict[str, object]) if (folder / name).is_file() else {}


def _configuration_notes(folder: Path) -> Iterator[str]:
    """What the configuration says that the weights are of."""
    config, adapter = _configuration(folder, "config.json"), _configuration(folder, "adapter_config.json")
    if config:
        yield f"config.json: architectures {_of(config, 'architectures')}, model_type {_of(config, 'model_type')}"
    if adapter:
        of = f"{_of(adapter, 'peft_type')}, r {_of(adapter, 'r')}, of {_of(adapter, 'base_model_name_or_path')}"
        yield f"adapter_config.json: an adapter ({of}), counted without the model that it adapts"


def _of(config: Mapping[str, object], key: str) -> str:
    return shown(config[key]) if key in config else "not stated"
