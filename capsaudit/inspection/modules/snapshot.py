"""A snapshot of a model's state, restored after a forward pass: values, attributes, containers, hooks, training modes, gradients.

Values are copied bit by bit and by storage, so views, expanded and quantised tensors need no special case, and NaN equals NaN. A large
storage is copied only when something is about to write it: to copy all of a model takes several times as long as a forward pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, UntypedStorage, nn

from capsaudit.inspection.memory import dense_parts
from capsaudit.inspection.modules.contents import HeldObject, held_objects, is_searched
from capsaudit.inspection.modules.forward import restored_random_state
from capsaudit.inspection.modules.walk import registered
from capsaudit.inspection.modules.writes import announced_writes

Container = dict[Any, Any] | list[Any] | set[Any] | deque[Any]
_CONTAINERS = (dict, list, set, deque)

SMALL = 65_536
"""Storages of at most so many bytes are copied at once."""

SAMPLE = 1024
"""How many evenly spaced places of a storage that is not copied are compared."""

StorageKey = int
"""The identity of a storage: the same one may move to other memory."""


@contextmanager
def restored(root: nn.Module, held: Sequence[HeldObject] | None = None) -> Iterator[ModelSnapshot]:
    """Put the model into eval mode, and restore its state at the end.

    Training modes are set one by one: a user's `eval()` may fold weights, and does not reach modules in plain lists.
    """
    snapshot = ModelSnapshot(root, held_objects(root) if held is None else held)
    with restored_random_state(), torch.inference_mode(False), torch.enable_grad():
        try:
            _set_training([(module, False) for module, _ in snapshot.modes])
            with announced_writes(snapshot.tensors.keep):
                yield snapshot
        finally:
            snapshot.restore()


def _set_training(modes: Iterable[tuple[nn.Module, bool]]) -> None:
    for module, mode in modes:
        if module.training != mode:
            module.training = mode


class ModelSnapshot:
    """The state of a model. A frozen scripted module has no training mode, so `modes` omits it."""

    def __init__(self, root: nn.Module, held: Sequence[HeldObject]) -> None:
        modules = [one.value for one in held if isinstance(one.value, nn.Module)]
        self.modes = [(module, module.training) for module in modules if hasattr(module, "training")]
        self.containers = container_snapshots(held)
        self.tensors = AllTensorsSnapshot(root, held)

    def restore(self) -> None:
        """Attributes come first: they determine which tensors belong to the model."""
        for container in self.containers:
            container.restore()
        self.tensors.restore()
        _set_training(self.modes)


class AllTensorsSnapshot:
    """The state of every tensor that a model holds."""

    def __init__(self, root: nn.Module, held: Sequence[HeldObject]) -> None:
        self.root = root
        self.held = [one for one in held if isinstance(one.value, Tensor)]
        tensors = [cast(Tensor, one.value) for one in self.held]
        self.tensors = {id(tensor): _tensor_snapshot(tensor) for tensor in tensors}
        gradients = [one.gradient for one in self.tensors.values() if one.gradient is not None]
        self.storages = _storage_snapshots([*tensors, *gradients])
        self.by_path = {named.path: named.tensor for named in registered(root)}
        self.written: dict[StorageKey, StorageSnapshot] | None = None

    def keep(self, tensor: Tensor) -> None:
        """Copy the memory of a tensor that is about to be written, if it is the model's. After the last write, only this class looks at it."""
        for part in dense_parts(tensor) if self.written is None else ():
            with suppress(
                RuntimeError, NotImplementedError
            ):  # opaque tensors have no storage, and are none of the model's
                if snapshot := self.storages.get(_key(part.untyped_storage())):
                    snapshot.keep()

    def restore(self) -> None:
        """Tensors come first: a tensor that replaced `data` must not be filled with the old values."""
        for tensor in self.tensors.values():
            tensor.restore()
        for storage in self._written().values():
            storage.restore()

    def changed(self) -> list[str]:
        """Paths of registered tensors that have other values than before, are gone, or are new buffers. Call it after the last write."""
        now = {named.path: named.tensor for named in registered(self.root)}
        paths = [path for path in {**self.by_path, **now} if not self._is_same(path, now.get(path))]
        return [path for path in paths if path in self.by_path or not isinstance(now[path], nn.Parameter)]

    def made(self) -> dict[str, int]:
        """Parameters that were registered since, with their numbers of values."""
        new = [named for named in registered(self.root) if named.path not in self.by_path]
        return {named.path: named.tensor.numel() for named in new if isinstance(named.tensor, nn.Parameter)}

    def lost(self) -> list[str]:
        """Paths of tensors that were written unseen, without a copy: they cannot be restored. Call it after the last write."""
        return [one.path for one in self.held if _is_lost(self._writes_to(self.tensors[id(one.value)].alias))]

    def _writes_to(self, before: Tensor) -> list[StorageSnapshot]:
        """The storages of a tensor that were written."""
        written = self._written()
        keys = (_key(part.untyped_storage()) for part in dense_parts(before))
        return [written[key] for key in keys if key in written]

    def _written(self) -> dict[StorageKey, StorageSnapshot]:
        """Storages that were written. They are compared once, which takes as long as copying them."""
        if self.written is None:
            self.written = {}
            self.written = {key: storage for key, storage in self.storages.items() if storage.is_written()}
        return self.written

    def _is_same(self, path: str, now: Tensor | None) -> bool:
        before = self.by_path.get(path)
        if before is None or now is None:
            return False
        alias = self.tensors[id(before)].alias
        written = self._writes_to(alias)
        if not written and _is_same_view(now, alias):
            return True
        return not _is_lost(written) and self._has_values(now, alias)

    def _has_values(self, now: Tensor, before: Tensor) -> bool:
        """Whether a tensor has the values that another had when the snapshot was taken."""
        if (now.shape, now.dtype, now.layout) != (before.shape, before.dtype, before.layout) or now.is_quantized:
            return False
        pairs = zip(dense_parts(now), dense_parts(before), strict=True)
        return all(_has_same_bits(part, self._copy_of(other)) for part, other in pairs)

    def _copy_of(self, part: Tensor) -> Tensor:
        """The same view of the copied storage."""
        snapshot = self.storages.get(_key(part.untyped_storage()))
        if snapshot is None or snapshot.copy is None:  # it was not written
            return part
        view = torch.empty(0, dtype=part.dtype, device=part.device)
        return view.set_(snapshot.copy.untyped_storage(), part.storage_offset(), part.shape, part.stride())


def _is_lost(written: Iterable[StorageSnapshot]) -> bool:
    """Whether there is no copy of what was before."""
    return any(storage.copy is None for storage in written)


class TensorSnapshot(NamedTuple):
    """The attributes of a tensor. `alias`: a second tensor of the same values, which remains if `tensor.data` is replaced."""

    tensor: Tensor
    alias: Tensor
    requires_grad: bool
    gradient: Tensor | None

    def restore(self) -> None:
        """Set only what changed, because setting has side effects."""
        if not _is_same_view(self.tensor, self.alias):
            self.tensor.data = self.alias
        if self.tensor.is_leaf and self.tensor.requires_grad != self.requires_grad:
            self.tensor.requires_grad_(self.requires_grad)
        if self.tensor.is_leaf and self.tensor.grad is not self.gradient:
            self.tensor.grad = self.gradient


def _tensor_snapshot(tensor: Tensor) -> TensorSnapshot:
    gradient = tensor.grad if tensor.is_leaf else None
    return TensorSnapshot(tensor, tensor.detach(), tensor.requires_grad, gradient)


def _is_same_view(one: Tensor, other: Tensor) -> bool:
    return list(map(_view, dense_parts(one))) == list(map(_view, dense_parts(other)))


def _view(part: Tensor) -> tuple[object, ...]:
    return part.untyped_storage()._cdata, part.storage_offset(), part.shape, part.stride(), part.dtype


def _has_same_bits(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return one.is_meta or torch.equal(*(part.detach().reshape(-1).view(torch.uint8) for part in (one, other)))


class StorageSnapshot:
    """The bytes of a storage: its tensors' version counters and some of its values, and a copy once it may be written.

    `memory`: the bytes as 64-bit integers where the size allows, since comparing them is several times as fast.
    """

    def __init__(self, storage: UntypedStorage, tensors: Sequence[Tensor]) -> None:
        dtype = torch.uint8 if storage.nbytes() % 8 else torch.int64
        self.storage = storage
        self.memory = torch.empty(0, dtype=dtype, device=storage.device).set_(storage)
        self.tensors = tensors
        self.copy = self.memory.clone() if _may_be_written_unseen(storage, tensors) else None
        self.bytes = storage.nbytes()
        self.versions = self._versions() if self.copy is None else []
        self.sample = self._sample() if self.copy is None else self.memory[:0]

    def keep(self) -> None:
        """Copy the bytes, which are about to be written."""
        if self.copy is None and not self.is_written():
            self.copy = self.memory.clone()

    def is_written(self) -> bool:
        """Whether the bytes changed. Without a copy, some of them are compared, and the version counters of the tensors."""
        if self.storage.nbytes() != self.bytes:
            return True
        if self.copy is not None:
            return not torch.equal(self.memory, self.copy)
        return self._versions() != self.versions or not torch.equal(self._sample(), self.sample)

    def restore(self) -> None:
        """Write the copy back. Only for storages that changed: the others may be files mapped into memory."""
        if self.copy is not None:
            if self.storage.nbytes() != self.bytes:
                self.storage.resize_(self.bytes)
            self.memory.copy_(self.copy)

    def _versions(self) -> list[int]:
        """Operators count their writes, also in threads that are not watched."""
        return [tensor._version for tensor in self.tensors]

    def _sample(self) -> Tensor:
        return self.memory[:: max(1, len(self.memory) // SAMPLE)].clone()


def _may_be_written_unseen(storage: UntypedStorage, tensors: Sequence[Tensor]) -> bool:
    """Whether it is copied at once: a small one, memory that others than torch have too, or tensors without a version counter.

    NumPy's memory and mapped files cannot be resized, and neither can what NumPy has a view of.
    """
    return storage.nbytes() <= SMALL or not storage.resizable() or any(tensor.is_inference() for tensor in tensors)


def _storage_snapshots(tensors: Iterable[Tensor]) -> dict[StorageKey, StorageSnapshot]:
    """Each storage once. Storages on device meta have no values."""
    found: dict[StorageKey, tuple[UntypedStorage, list[Tensor]]] = {}
    for part in (part for tensor in tensors for part in dense_parts(tensor)):
        storage = part.untyped_storage()
        if storage.data_ptr():
            found.setdefault(_key(storage), (storage, []))[1].append(part)
    return {key: StorageSnapshot(*each) for key, each in found.items()}


def _key(storage: UntypedStorage) -> StorageKey:
    return int(storage._cdata)


class ContainerSnapshot(NamedTuple):
    """A container and its content. The content of a dictionary is its keys and values in turn."""

    container: Container
    content: list[object]

    def restore(self) -> None:
        """Refill the container if its content or the order changed. Items are compared by identity: `==` of tensors is a tensor."""
        now = _content(self.container)
        if len(now) != len(self.content) or any(one is not other for one, other in zip(now, self.content, strict=True)):
            self.container.clear()
            _fill(self.container, self.content)


def container_snapshots(held: Sequence[HeldObject]) -> list[ContainerSnapshot]:
    """Every mutable container, including the dictionaries in which modules and objects keep attributes and hooks."""
    found = {id(container): container for one in held for container in _containers(one)}
    return [ContainerSnapshot(container, _content(container)) for container in found.values()]


def _containers(held: HeldObject) -> Iterator[Container]:
    if isinstance(held.value, _CONTAINERS):
        yield held.value
    elif isinstance(held.value, nn.Module):
        yield vars(held.value)
        yield from (value for value in vars(held.value).values() if isinstance(value, _CONTAINERS))
    elif is_searched(held) and hasattr(held.value, "__dict__"):
        yield vars(held.value)


def _content(container: Container) -> list[object]:
    if not container:  # most are empty dictionaries of hooks
        return []
    return [one for pair in container.items() for one in pair] if isinstance(container, dict) else list(container)


def _fill(container: Container, content: Sequence[object]) -> None:
    if isinstance(container, dict):
        container.update(zip(content[::2], content[1::2], strict=True))
    elif isinstance(container, set):
        container.update(content)
    else:
        container.extend(content)
