"""Values of tensors, kept by their storage: views, expanded and quantised tensors need no case of their own, and NaN is NaN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from capsaudit.audit.attributes import Place
from capsaudit.audit.memory import parts
from capsaudit.audit.walking import registered


class KeptMemory(NamedTuple):
    """The bytes of one storage, and a copy of them."""

    memory: Tensor
    copy: Tensor

    def restore(self) -> None:
        """Written only where it differs: memory may be a file that is mapped."""
        if not torch.equal(self.memory, self.copy):
            self.memory.copy_(self.copy)


class KeptTensor(NamedTuple):
    """What belongs to a tensor beside its values. `alias`: a tensor of the same values, which remains when `tensor.data` is replaced."""

    tensor: Tensor
    alias: Tensor
    requires_grad: bool
    gradient: Tensor | None

    def restore(self) -> None:
        """Only what was changed is set: setting is not free of effects."""
        if not _same_layout(self.tensor, self.alias):
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
        self.memories = dict(memory for tensor in [*tensors, *gradients] for memory in _memories(tensor))
        self.slots = {slot.path: slot.tensor for slot in registered(root)}

    def restore(self) -> None:
        """Tensors first: a replaced `data` must not be filled with the values that were there before."""
        for tensor in self.tensors.values():
            tensor.restore()
        for memory in self.memories.values():
            memory.restore()

    def changed(self) -> list[str]:
        """Paths of registered tensors that have other values than before, are gone, or are new."""
        now = {slot.path: slot.tensor for slot in registered(self.root)}
        written = {key for key, kept in self.memories.items() if not torch.equal(kept.memory, kept.copy)}
        return [path for path in {**self.slots, **now} if not self._same(path, now.get(path), written)]

    def _same(self, path: str, now: Tensor | None, written: set[int]) -> bool:
        before = self.slots.get(path)
        if before is None or now is None:
            return before is now
        kept = self.tensors[id(before)]
        if now is before and _same_layout(now, kept.alias) and not any(key in written for key in map(_key, parts(now))):
            return True
        return _same_values(now, self._before(kept))

    def _before(self, kept: KeptTensor) -> list[Tensor]:
        return [_as(part, self.memories[_key(part)].copy) if _key(part) in self.memories else part for part in parts(kept.alias)]


def _kept(tensor: Tensor) -> KeptTensor:
    return KeptTensor(tensor, tensor.detach(), tensor.requires_grad, tensor.grad if tensor.is_leaf else None)


def _memories(tensor: Tensor) -> Iterator[tuple[int, KeptMemory]]:
    """Storages that hold values: those on device meta hold none."""
    for part in parts(tensor):
        storage = part.untyped_storage()
        if storage.data_ptr():
            wide = torch.int64 if storage.nbytes() % 8 == 0 else torch.uint8  # whole words are compared at several times the speed
            memory = torch.empty(0, dtype=wide, device=storage.device).set_(storage)
            yield _key(part), KeptMemory(memory, memory.clone())
