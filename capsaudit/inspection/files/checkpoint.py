"""A torch checkpoint by what it says of its tensors. No value is read and no code in its pickle is run: torch unpickles tensors and
plain containers only, and skips the data.
"""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from msgspec import Struct

from capsaudit.errors import CapsauditError, FileError
from capsaudit.inspection.files.rows import UNTOLD, Contents, file_row
from capsaudit.inspection.foreign_errors import in_a_line
from capsaudit.inspection.memory import parts, stored
from capsaudit.inspection.paths import open_file
from capsaudit.inventory import AuditedTensor
from capsaudit.validation import shown

_NESTS = ("state_dict", "model_state_dict", "model", "net")
"""Where checkpoints keep the state dict beside the epoch and the optimiser; of several the first."""

_EXTRA = "_extra_state"
"""What `get_extra_state` of a module gives: torch's own way to put other things into a state dict."""

_DEEPEST = 4
"""State dicts within tables; a table may also hold itself."""

_SHOWN = 5
_SAVE = "save model.state_dict() and audit that"


def read_checkpoint(path: Path) -> tuple[AuditedTensor, ...]:
    """Every tensor of the state dict in the file.

    Raises:
        CapsauditError: the file cannot be read, would have to run code, or holds no state dict.
    """
    return checkpoint_contents(path).tensors


def checkpoint_contents(path: Path) -> Contents:
    """The same, with notes on what was read and what was left.

    Raises:
        CapsauditError: as `read_checkpoint`.
    """
    with open_file(path) as stream:
        loaded = _loaded(stream, path)
        state, notes = _state_dict(loaded, path)
        tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
        _expect_room(tensors, _room(stream, path), path)
    notes += [f"{shown(name)} is no tensor and not counted" for name in state if name not in tensors]
    return Contents(tuple(_rows(tensors)), (*notes, UNTOLD))


def _loaded(stream: BinaryIO, path: Path) -> Any:
    """What was pickled, each tensor with memory of its size into which nothing is read: untouched, it costs nothing."""
    if not stream.read(1):
        raise CapsauditError(f"{path}: is empty; expected a checkpoint written by torch.save")
    stream.seek(0)
    try:
        with warnings.catch_warnings(), torch.serialization.skip_data():
            warnings.simplefilter("ignore")
            return torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CapsauditError(f"{path}: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Why it cannot be loaded. torch's own advice would be to run the code."""
    text = str(error)
    if named := re.search(r"GLOBAL ([\w.]+)", text):
        return f"holds more than tensors ({named[1]}), which only running its code would give, and nothing was run; {_SAVE}"
    if "TorchScript" in text or "torch.jit.load" in text:
        return f"is a TorchScript archive, which is a program; {_SAVE}"
    if "can't allocate memory" in text:
        return "says it has a tensor larger than the memory of this machine"
    cause = text.partition("WeightsUnpickler error:")[2].strip().partition("\n")[0] or in_a_line(error)
    return f"is no checkpoint of torch, or damaged ({cause.partition('. ')[0]})"


def _room(stream: BinaryIO, path: Path) -> tuple[int, int]:
    """How many bytes of values the file has, and how many stand before each storage of them: an archive keeps a record for each, an older
    file all of them behind what was read.
    """
    behind = os.fstat(stream.fileno()).st_size - stream.tell()
    stream.seek(0)
    if stream.read(4) != b"PK\3\4":
        return behind, 8
    try:
        with zipfile.ZipFile(stream) as archive:
            return sum(record.file_size for record in archive.infolist() if "/data/" in record.filename), 0
    except Exception as error:
        raise CapsauditError(f"{path}: {_why(error)}") from error


def _expect_room(tensors: Mapping[str, torch.Tensor], room: tuple[int, int], path: Path) -> None:
    """Nothing was read, so that nobody has seen yet whether the values are there."""
    storages = [part.untyped_storage() for tensor in tensors.values() for part in parts(tensor) if not part.is_meta]
    lengths = {storage._cdata: storage.nbytes() + room[1] for storage in storages}
    if (claimed := sum(lengths.values())) > room[0]:
        what = f"its tensors need {claimed:,} bytes, and the file has {room[0]:,} for them"
        raise CapsauditError(f"{path}: {what}; it is cut short or damaged")


def _state_dict(loaded: Any, path: Path) -> tuple[Mapping[str, Any], list[str]]:
    """The state dict, wherever in the file it is, with a note of the way there."""
    state = loaded
    way: list[str] = []
    beside: dict[str, Any] = {}
    while isinstance(state, Mapping) and (key := _nest(state)) is not None and len(way) < _DEEPEST:
        beside |= {".".join([*way, str(name)]): value for name, value in state.items() if name != key}
        way.append(key)
        state = state[key]
    if not isinstance(state, Mapping):
        raise CapsauditError(f"{path}: holds a value of type {type(state).__name__}; expected a state dict, {_SAVE}")
    if faults := [name for name, value in state.items() if not _belongs(name, value)]:
        raise FileError(_foreign(state, faults, path))
    return state, [_way_told(way, beside)] if way else []


def _nest(state: Mapping[Any, Any]) -> str | None:
    return next((key for key in _NESTS if isinstance(state.get(key), Mapping)), None)


def _way_told(way: list[str], beside: Mapping[str, Any]) -> str:
    """Where the state dict was found, and what was left: another one may be among it."""
    others = ", ".join(f"{shown(name)} ({_kind(value)})" for name, value in list(beside.items())[:_SHOWN])
    more = ", …" if len(beside) > _SHOWN else ""
    return f"the state dict is at {shown('.'.join(way))} in the file" + (
        f"; not counted: {others}{more}" if others else ""
    )


def _belongs(name: object, value: object) -> bool:
    if isinstance(value, torch.Tensor):
        return isinstance(name, str) and is_countable(value)
    return isinstance(name, str) and name.rpartition(".")[2] == _EXTRA


def _foreign(state: Mapping[Any, Any], faults: list[Any], path: Path) -> list[str]:
    """What a state dict cannot hold, and what the file may be instead."""
    told = [
        f"{path}: {shown(name)} is {_kind(state[name])}; a state dict has tensors by name" for name in faults[:_SHOWN]
    ]
    if len(faults) > _SHOWN:
        told.append(f"{path}: so are {len(faults) - _SHOWN:,} more")
    return [*told, f"{path}: a state dict is looked for at the top, and at {', '.join(_NESTS)}"]


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return f"a table of {len(value):,}"
    if isinstance(value, torch.Tensor):
        return "a tensor" if is_countable(value) else "a tensor of a kind that has no count"
    return shown(value) if isinstance(value, str | int | float) else f"a value of type {type(value).__name__}"


def _rows(tensors: Mapping[str, torch.Tensor]) -> Iterator[AuditedTensor]:
    for name, found in held(tensors).items():
        tensor = tensors[name]
        counts = _counts(tensor, found.values, same=found.same_as is not None)
        yield file_row(
            name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), found.bytes, counts, found.same_as
        )


def _counts(tensor: torch.Tensor, values: int, *, same: bool) -> dict[str, int]:
    """By the policies under which its values are another number."""
    if same:
        return {"per name": tensor.numel()}
    counts = {} if values == tensor.numel() else {"storage": values}
    return counts | ({"reals": 2 * tensor.numel()} if tensor.is_complex() else {})


_LAYOUTS = (
    *(torch.strided, torch.sparse_coo),
    *(torch.sparse_csr, torch.sparse_bsr, torch.sparse_csc, torch.sparse_bsc),
)


class Held(Struct, frozen=True):
    """What a tensor adds to the others: its own bytes and values. `same_as`: the name of an identical one before it."""

    bytes: int
    values: int
    same_as: str | None = None


def held(tensors: Mapping[str, torch.Tensor]) -> dict[str, Held]:
    """What each of the tensors adds, in their order."""
    first: dict[Hashable, str] = {}
    same = {name: first.setdefault(_identity(tensor), name) for name, tensor in tensors.items()}
    own = [name for name in tensors if same[name] == name]
    added = zip(own, stored([tensors[name] for name in own]), strict=True)
    found = {name: Held(part.bytes, part.values) for name, part in added}
    return {name: found.get(name) or Held(0, 0, same[name]) for name in tensors}


def is_countable(tensor: torch.Tensor) -> bool:
    """Whether its parts are known: a nested tensor has no shape, other backends have layouts of their own."""
    return not tensor.is_nested and tensor.layout in _LAYOUTS


def _identity(tensor: torch.Tensor) -> Hashable:
    """Equal for the same view of the same memory; memory of no size has no place and is never the same."""
    places = [(part.data_ptr(), part.shape, part.stride(), part.dtype) for part in parts(tensor)]
    placed = all(address for address, *_ in places)
    return (tensor.layout, tensor.shape, tuple(places)) if placed else id(tensor)
