"""A model's state, restored after a forward pass: values bit by bit, attributes, containers, hooks, training modes, gradients.

Values are kept by storage, so that views, expanded and quantised tensors need no special case and NaN equals NaN.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, UntypedStorage, nn

from capsaudit.inspection.memory import parts
from capsaudit.inspection.modules.contents import Place, is_searched, places
from capsaudit.inspection.modules.forward import same_randomness
from capsaudit.inspection.modules.walk import registered

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


class Kept:
    """A model as it was, while something is done to it."""

    def __init__(self, root: nn.Module, held: Sequence[Place]) -> None:
        self.root = root
        modules = [place.value for place in held if isinstance(place.value, nn.Module)]
        self.modes = [(module, module.training) for module in modules if hasattr(module, "training")]
        self.containers: list[KeptContainer] = kept_containers(held)
        self.tensors = KeptTensors(root, held)

    def restore(self) -> None:
        """Attributes first: they say which tensors are the model's."""
        for container in self.containers:
            container.restore()
        self.tensors.restore()
        _set(self.modes)


@contextmanager
def unchanged(root: nn.Module, held: Sequence[Place] | None = None) -> Iterator[Kept]:
    """The model in eval mode, and as before afterwards.

    The modes are set one by one: `eval()` is often overridden to fold weights, and does not reach modules in plain lists.
    """
    kept = Kept(root, places(root) if held is None else held)
    with same_randomness(), torch.inference_mode(False), torch.enable_grad():
        try:
            _set([(module, False) for module, _ in kept.modes])
            yield kept
        finally:
            kept.restore()


def _set(modes: Sequence[tuple[nn.Module, bool]]) -> None:
    """A scripted module that is frozen has no mode left, and is not among them."""
    for module, mode in modes:
        if module.training != mode:
            module.training = mode


MUTABLE = (dict, list, set, deque)


class KeptContainer(NamedTuple):
    """A container and what was in it: for a dictionary, keys and values in turn."""

    container: Any
    content: list[Any]

    def restore(self) -> None:
        """Nothing is written where nothing changed, order included. Compared by identity: equality of tensors is a tensor."""
        now = _content(self.container)
        if len(now) != len(self.content) or any(one is not other for one, other in zip(now, self.content, strict=True)):
            self.container.clear()
            _fill(self.container, self.content)


def kept_containers(held: Sequence[Place]) -> list[KeptContainer]:
    """Every container that can be changed: also the dictionaries in which modules and objects keep their attributes and hooks."""
    found = {id(one): one for place in held for one in _containers(place)}
    return [KeptContainer(container, _content(container)) for container in found.values()]


def _containers(place: Place) -> Iterator[object]:
    if isinstance(place.value, MUTABLE):
        yield place.value
    elif isinstance(place.value, nn.Module):
        yield vars(place.value)
        yield from (one for one in vars(place.value).values() if isinstance(one, MUTABLE))
    elif is_searched(place) and hasattr(place.value, "__dict__"):
        yield vars(place.value)


def _content(container: Any) -> list[Any]:
    """Most are the dictionaries of hooks, and empty."""
    if not container:
        return []
    return [one for pair in container.items() for one in pair] if isinstance(container, dict) else list(container)


def _fill(container: Any, content: list[Any]) -> None:
    if isinstance(container, dict):
        container.update(zip(content[::2], content[1::2], strict=True))
    elif isinstance(container, set):
        container.update(content)
    else:
        container.extend(content)
