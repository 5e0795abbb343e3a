"""The tensors of a torch checkpoint, without their values. No code in the pickle is run: torch unpickles tensors and plain containers only."""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from msgspec import Struct

from capsaudit.errors import CapsauditError, FileError
from capsaudit.inspection.files.archives import LARGEST_PICKLE_BYTES, Pickled, pickled, with_values
from capsaudit.inspection.files.parts import Contents, Parts, choose
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED, file_row
from capsaudit.inspection.foreign_errors import one_line
from capsaudit.inspection.memory import dense_parts, own_memory
from capsaudit.inspection.paths import open_file
from capsaudit.inventory import InventoryTensor
from capsaudit.validation import shown

StateDict = Mapping[object, object]
"""Anything that may be a state dict: keys and values are not checked yet."""

Keys = tuple[str, ...]
"""The keys that lead to a state dict."""

_NO_NETWORK = re.compile(r"optim|sched|scaler|rng|random|callback|loops|hparam|hyper_param", re.IGNORECASE)
"""Keys of what a training run keeps beside its networks: moments of an optimiser are no parameters."""

_MAX_NESTING = 4
"""State dicts may be nested: `{"model": {"state_dict": …}}`."""

_EXTRA_STATE = "_extra_state"
"""The name under which a module's `get_extra_state` is saved."""

_LAYOUTS = (
    *(torch.strided, torch.sparse_coo),
    *(torch.sparse_csr, torch.sparse_bsr, torch.sparse_csc, torch.sparse_bsc),
)

_MAX_SHOWN = 5
_SAVE = "save model.state_dict() and audit that"


class TensorMemory(Struct, frozen=True):
    """The memory that is attributed to a tensor. `same_as`: the name of an identical tensor before it."""

    bytes: int
    values: int
    same_as: str | None = None


def read(path: Path) -> Parts:
    """Read every state dict in a checkpoint: `{"model": …, "model_ema": …}` has two.

    Raises:
        CapsauditError: the file cannot be read, would have to run code, or contains no state dict.
    """
    found = _pickled(path)
    loaded = _loaded(found, path)
    states = _state_dicts(loaded, path)
    _expect_complete([tensor for state in states.values() for tensor in _tensors(state).values()], found, path)
    return {".".join(keys): _contents(loaded, keys, states) for keys in states}


def read_checkpoint(path: Path) -> tuple[InventoryTensor, ...]:
    """Read every tensor of the state dict in a checkpoint.

    Raises:
        CapsauditError: as `read`, or there are several of which none can be chosen.
    """
    return checkpoint_contents(path).tensors


def checkpoint_contents(path: Path) -> Contents:
    """Read the same tensors, with notes on what was read and what was left out.

    Raises:
        CapsauditError: as `read_checkpoint`.
    """
    return choose(read(path), None, path)


def _contents(loaded: object, keys: Keys, states: Mapping[Keys, StateDict]) -> Contents:
    state, tensors = states[keys], _tensors(states[keys])
    notes = [_nesting_note(keys, _left_out(loaded, keys, states))] if keys else []
    notes += [f"{shown(name)} is not a tensor and is not counted" for name in state if name not in tensors]
    return Contents(tuple(_rows(tensors)), (*notes, TRAINABLE_ASSUMED))


def _tensors(state: StateDict) -> dict[str, torch.Tensor]:
    return {str(name): value for name, value in state.items() if isinstance(value, torch.Tensor)}


def checkpoint_values(path: Path, part: str | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a state dict with their values. That the file has as many bytes as they need is checked before.

    Raises:
        CapsauditError: as `read_checkpoint`, there is no such part, or the values cannot be read.
    """
    parts = read(path)
    choose(parts, part, path)
    chosen = part if part in parts else next(iter(parts))
    try:
        with open_file(path) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(with_values(stream, path), map_location="cpu", weights_only=True)
    except CapsauditError:
        raise
    except Exception as error:
        raise CapsauditError(f"{path}: {_loading_problem(error)}") from error
    return _tensors(next(state for keys, state in _state_dicts(loaded, path).items() if ".".join(keys) == chosen))


def _pickled(path: Path) -> Pickled:
    with open_file(path) as stream:
        try:
            return pickled(stream, path)
        except CapsauditError:
            raise
        except Exception as error:
            raise CapsauditError(f"{path}: {_loading_problem(error)}") from error


def _loaded(found: Pickled, path: Path) -> object:
    """The unpickled content. Its tensors have memory of the right size, but values are not read into it, so it costs nothing."""
    if not found.stream.getbuffer().nbytes:
        raise CapsauditError(f"{path}: is empty; expected a checkpoint written by torch.save")
    try:
        with warnings.catch_warnings(), torch.serialization.skip_data():
            warnings.simplefilter("ignore")
            loaded: object = torch.load(found.stream, map_location="cpu", weights_only=True)
            return loaded
    except Exception as error:
        if found.stream.tell() == LARGEST_PICKLE_BYTES:
            raise CapsauditError(f"{path}: its pickle has more than {LARGEST_PICKLE_BYTES:,} bytes") from error
        raise CapsauditError(f"{path}: {_loading_problem(error)}") from error


def _loading_problem(error: Exception) -> str:
    """Why the file cannot be loaded. Torch's own message recommends running the code in it."""
    text = str(error)
    if found := re.search(r"GLOBAL ([\w.]+)", text):
        return f"contains more than tensors ({found[1]}); loading it would run code, so nothing was loaded; {_SAVE}"
    if "can't allocate memory" in text:
        return "declares a tensor larger than the memory of this machine"
    cause = text.partition("WeightsUnpickler error:")[2].strip().partition("\n")[0] or one_line(error)
    return f"is not a torch checkpoint, or is damaged ({cause.partition('. ')[0]})"


def _state_dicts(loaded: object, path: Path) -> dict[Keys, StateDict]:
    """The state dicts in a value by the keys at which they are: none for the value itself."""
    if not isinstance(loaded, Mapping):
        raise CapsauditError(
            f"{path}: contains a value of type {type(loaded).__name__}; expected a state dict; {_SAVE}"
        )
    if found := dict(_found(loaded, (), set())):
        return found
    faults = [name for name, value in loaded.items() if not _is_entry(name, value)]
    raise FileError(*(f"{path}: {fault}" for fault in _entry_faults(loaded, faults)))


def _found(state: StateDict, keys: Keys, seen: set[int]) -> Iterator[tuple[Keys, StateDict]]:
    """`seen`: the dicts on the way, because a dict may contain itself, and a pickle may have one at a million places."""
    if id(state) in seen:
        return
    seen.add(id(state))
    if all(_is_entry(name, value) for name, value in state.items()) and (state or not keys):
        yield keys, state
        return
    for key, value in state.items() if len(keys) < _MAX_NESTING else ():
        if isinstance(key, str) and isinstance(value, Mapping) and not _NO_NETWORK.search(key):
            yield from _found(value, (*keys, key), seen)


def _left_out(loaded: object, keys: Keys, states: Mapping[Keys, StateDict]) -> dict[str, object]:
    """What lies beside a state dict and contains none."""
    ignored: dict[str, object] = {}
    for depth, key in enumerate(keys):
        assert isinstance(loaded, Mapping)
        for name, value in loaded.items():
            place = (*keys[:depth], str(name))
            if name != key and not any(other[: depth + 1] == place for other in states):
                ignored[".".join(place)] = value
        loaded = loaded[key]
    return ignored


def _nesting_note(keys: Sequence[str], ignored: Mapping[str, object]) -> str:
    """The path of the state dict, and what was left out, which may contain another one."""
    note = f"the state dict is at {shown('.'.join(keys))} in the file"
    shown_items = [f"{shown(name)} ({_description(value)})" for name, value in list(ignored.items())[:_MAX_SHOWN]]
    if not shown_items:
        return note
    more = ", …" if len(ignored) > _MAX_SHOWN else ""
    return f"{note}; not counted: {', '.join(shown_items)}{more}"


def _is_entry(name: object, value: object) -> bool:
    """Whether it belongs into a state dict: a tensor or extra state under a name."""
    if isinstance(value, torch.Tensor):
        return isinstance(name, str) and is_countable(value)
    return isinstance(name, str) and name.rpartition(".")[2] == _EXTRA_STATE


def _entry_faults(state: StateDict, names: Sequence[object]) -> Iterator[str]:
    for name in names[:_MAX_SHOWN]:
        yield f"{shown(name)} is {_description(state[name])}; a state dict maps names to tensors"
    if len(names) > _MAX_SHOWN:
        yield f"{len(names) - _MAX_SHOWN:,} more entries are not tensors with a name"
    yield "expected a state dict at the top level or under a key, such as state_dict, model or model_ema"


def _description(value: object) -> str:
    if isinstance(value, Mapping):
        return f"a dict of length {len(value):,}"
    if isinstance(value, torch.Tensor):
        return "a tensor" if is_countable(value) else "a tensor of an unsupported layout"
    return shown(value) if isinstance(value, str | int | float) else f"a value of type {type(value).__name__}"


def _expect_complete(tensors: Sequence[torch.Tensor], found: Pickled, path: Path) -> None:
    """Check that the file is long enough for its tensors, because loading did not read their values."""
    available, prefix = _space(found, path)
    parts = [part for tensor in tensors for part in dense_parts(tensor) if not part.is_meta]
    storages = {part.untyped_storage()._cdata: part.untyped_storage() for part in parts}
    needed = sum(storage.nbytes() + prefix for storage in storages.values())
    if needed > available:
        what = f"its tensors need {needed:,} bytes, but the file has {available:,} for them"
        raise CapsauditError(f"{path}: {what}; it is truncated or damaged")


def _space(found: Pickled, path: Path) -> tuple[int, int]:
    """The number of bytes for values in the file, and the number of bytes before each storage.

    An archive has one record per storage. A file in the older format has all storages behind the pickle, each after its length.
    """
    if found.value_bytes is not None:
        return found.value_bytes, 0
    return path.stat().st_size - found.stream.tell(), 8


def _rows(tensors: Mapping[str, torch.Tensor]) -> Iterator[InventoryTensor]:
    for name, memory in tensor_memory(tensors).items():
        tensor = tensors[name]
        dtype = str(tensor.dtype).removeprefix("torch.")
        yield file_row(name, tuple(tensor.shape), dtype, memory.bytes, _counts(tensor, memory), memory.same_as)


def _counts(tensor: torch.Tensor, memory: TensorMemory) -> dict[str, int]:
    """Counts by other policies, where they differ."""
    if memory.same_as is not None:
        return {"per name": tensor.numel()}
    counts = {} if memory.values == tensor.numel() else {"storage": memory.values}
    return counts | ({"reals": 2 * tensor.numel()} if tensor.is_complex() else {})


def tensor_memory(tensors: Mapping[str, torch.Tensor]) -> dict[str, TensorMemory]:
    """The memory of each tensor by name, in the same order."""
    first: dict[Hashable, str] = {}
    same = {name: first.setdefault(_identity(tensor), name) for name, tensor in tensors.items()}
    distinct = [name for name in tensors if same[name] == name]
    memory = zip(distinct, own_memory([tensors[name] for name in distinct]), strict=True)
    found = {name: TensorMemory(own.bytes, own.values) for name, own in memory}
    return {name: found.get(name) or TensorMemory(0, 0, same[name]) for name in tensors}


def _identity(tensor: torch.Tensor) -> Hashable:
    """Equal for the same view of the same memory. Empty memory has no address and is never the same."""
    views = [(part.data_ptr(), part.shape, part.stride(), part.dtype) for part in dense_parts(tensor)]
    has_memory = all(address for address, *_ in views)
    return (tensor.layout, tensor.shape, tuple(views)) if has_memory else id(tensor)


def is_countable(tensor: torch.Tensor) -> bool:
    """Whether its parts are known: a nested tensor has no shape, and other backends have layouts of their own."""
    return not tensor.is_nested and tensor.layout in _LAYOUTS
