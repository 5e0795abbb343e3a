"""Values of tensors, kept by their storage: views, expanded and quantised tensors need no case of their own, and NaN is NaN."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, UntypedStorage, nn

from capsaudit.auditing.modules.attributes import Place
from capsaudit.auditing.modules.occupancy import parts
from capsaudit.auditing.modules.walking import registered

Key = tuple[int, int]


class KeptMemory(NamedTuple):
    """The bytes of one storage, and a copy of them."""

    memory: Tensor
    copy: Tensor

    def is_written(self) -> bool:
        """Whether the bytes are others now."""
        return not torch.equal(self.memory, self.copy)

    def restore(self) -> None:
        """For memory that was written only: the rest may be a file that is mapped."""
        self.memory.copy_(self.copy)


class KeptTensor(NamedTuple):
    """What belongs to a tensor beside its values. `alias`: a tensor of the same values, which remains when `tensor.data` is replaced."""

    tensor: Tensor
    alias: Tensor
    requires_grad: bool
    gradient: Tensor | None

    def restore(self) -> None:
        """Only what was changed is set: setting is not free of effects."""
        if not _same_place(self.tensor, self.alias):
            self.tensor.data = self.alias
        if self.tensor.is_leaf and self.tensor.requires_grad != self.requires_grad:
            self.tensor.requires_grad_(self.requires_grad)
        if self.tensor.is_leaf and self.tensor.grad is not self.gradient:
            self.tensor.grad = self.gradient


class KeptTensors:
    """Every tensor that a model holds, as it was."""

    def __init__(self, root: nn.Module, held: Sequence[Place]) -> None:
        self.root = root
        tensors = [place.value for place in held if isinstance(place.value, Tensor)]
        self.tensors = {id(tensor): _kept(tensor) for tensor in tensors}
        gradients = [kept.gradient for kept in self.tensors.values() if kept.gradient is not None]
        self.memories = _memories([*tensors, *gradients])
        self.slots = {slot.path: slot.tensor for slot in registered(root)}
        self.written: set[Key] | None = None

    def restore(self) -> None:
        """Tensors first: a replaced `data` must not be filled with the values that were there before."""
        for tensor in self.tensors.values():
            tensor.restore()
        for key in self._written():
            self.memories[key].restore()

    def changed(self) -> list[str]:
        """Paths of registered tensors that have other values than before, are gone, or are new. To be asked after the last write."""
        now = {slot.path: slot.tensor for slot in registered(self.root)}
        written = self._written()
        return [path for path in {**self.slots, **now} if not self._same(path, now.get(path), written)]

    def _written(self) -> set[Key]:
        """Memory that is not as before. Compared once: it takes as long as copying it did."""
        if self.written is None:
            self.written = {key for key, kept in self.memories.items() if kept.is_written()}
        return self.written

    def _same(self, path: str, now: Tensor | None, written: set[Key]) -> bool:
        before = self.slots.get(path)
        if before is None or now is None:
            return False
        kept = self.tensors[id(before)]
        untouched = not written.intersection(_key(part.untyped_storage()) for part in parts(kept.alias))
        return (untouched and _same_place(now, kept.alias)) or self._same_values(now, kept.alias)

    def _same_values(self, now: Tensor, before: Tensor) -> bool:
        """Read from the copy, for the memory itself may have been written."""
        if (now.shape, now.dtype, now.layout) != (before.shape, before.dtype, before.layout) or now.is_quantized:
            return False
        pairs = zip(parts(now), parts(before), strict=True)
        return all(_same_bits(part, self._copied(other)) for part, other in pairs)

    def _copied(self, part: Tensor) -> Tensor:
        kept = self.memories.get(_key(part.untyped_storage()))
        if kept is None:
            return part
        copied = torch.empty(0, dtype=part.dtype, device=part.device)
        return copied.set_(kept.copy.untyped_storage(), part.storage_offset(), part.shape, part.stride())


def _kept(tensor: Tensor) -> KeptTensor:
    return KeptTensor(tensor, tensor.detach(), tensor.requires_grad, tensor.grad if tensor.is_leaf else None)


def _key(storage: UntypedStorage) -> Key:
    return storage.data_ptr(), storage.nbytes()


def _memories(tensors: Iterable[Tensor]) -> dict[Key, KeptMemory]:
    """Each storage once, and none of device meta: there are no values."""
    storages = {_key(storage): storage for tensor in tensors for storage in map(_storage, parts(tensor))}
    return {key: _copy(storage) for key, storage in storages.items() if storage.data_ptr()}


def _storage(tensor: Tensor) -> UntypedStorage:
    return tensor.untyped_storage()


def _copy(storage: UntypedStorage) -> KeptMemory:
    """As whole words where it is made of them: they are compared several times as fast as bytes."""
    word = torch.uint8 if storage.nbytes() % 8 else torch.int64
    memory = torch.empty(0, dtype=word, device=storage.device).set_(storage)
    return KeptMemory(memory, memory.clone())


def _same_place(one: Tensor, other: Tensor) -> bool:
    return list(map(_place, parts(one))) == list(map(_place, parts(other)))


def _place(part: Tensor) -> tuple[object, ...]:
    return part.untyped_storage()._cdata, part.storage_offset(), part.shape, part.stride(), part.dtype


def _same_bits(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return one.is_meta or torch.equal(*(part.detach().reshape(-1).view(torch.uint8) for part in (one, other)))
