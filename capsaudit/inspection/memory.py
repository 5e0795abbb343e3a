"""Memory occupied by live tensors, each byte counted once: views overlap, and expanded and sparse tensors store fewer values than their shape."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

_PLAIN = (Tensor, Parameter)
"""Classes of nearly all tensors."""

MAX_RUNS = 10_000
"""A tensor with more contiguous runs than this is assumed not to overlap any other."""


class OwnMemory(NamedTuple):
    """The part of a tensor's memory that is attributed to it."""

    values: int
    bytes: int


class Run(NamedTuple):
    """Contiguous bytes of one tensor, from `start` up to `end`. `tensor`: its index."""

    start: int
    tensor: int
    end: int


def own_memory(tensors: Sequence[Tensor]) -> list[OwnMemory]:
    """The memory of each tensor. A byte that several tensors share is attributed to one of them, so the results add up."""
    parts = [dense_parts(tensor) for tensor in tensors]
    owned = iter(_owned_bytes(list(itertools.chain.from_iterable(parts))))
    shares = [list(itertools.islice(owned, len(those))) for those in parts]
    return [_own_memory(*each) for each in zip(tensors, parts, shares, strict=True)]


def _own_memory(tensor: Tensor, parts: Sequence[Tensor], owned: Sequence[int]) -> OwnMemory:
    """`owned`: the bytes of each dense part. Only the first part has the tensor's values; a wrapper has all that its shape says."""
    values = tensor.numel() if is_wrapper(tensor) else owned[0] // parts[0].element_size()
    return OwnMemory(values, sum(owned))


def is_wrapper(tensor: Tensor) -> bool:
    """Whether it is of a class that has no memory itself but other tensors: sharded over devices (DTensor), quantised (torchao), …"""
    return type(tensor) not in _PLAIN and (not _has_memory(tensor) or is_traceable_wrapper_subclass(tensor))


def _has_memory(tensor: Tensor) -> bool:
    """Torch gives a wrapper a storage whose address cannot be taken. Sparse and opaque tensors have no storage and are no wrappers."""
    if tensor.layout != torch.strided:
        return True
    try:
        tensor.untyped_storage().data_ptr()
    except RuntimeError:
        return False
    return True


def dense_parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that make up a tensor: its values, then the indices of a sparse tensor; those inside a wrapper."""
    if type(tensor) in _PLAIN and tensor.layout == torch.strided:
        return (tensor,)
    if is_wrapper(tensor):
        return tuple(part for each in _inner(tensor) for part in dense_parts(each))
    if tensor.layout == torch.sparse_coo:
        return tensor._values(), tensor._indices()
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.values(), tensor.crow_indices(), tensor.col_indices()
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return tensor.values(), tensor.ccol_indices(), tensor.row_indices()
    return (tensor,)


def _inner(wrapper: Tensor) -> Iterator[Tensor]:
    """The tensors inside a wrapper, as it lists them; where it does not, or its class fails to, those among its attributes."""
    try:
        names, _ = wrapper.__tensor_flatten__()  # type: ignore[attr-defined]
        found = [getattr(wrapper, name) for name in names]
    except Exception:
        found = list(vars(wrapper).values())
    return (each for each in found if isinstance(each, Tensor))


def _owned_bytes(tensors: Sequence[Tensor]) -> list[int]:
    """Sweep over the addresses of each space. Bytes below `high`, the highest end so far, are attributed already."""
    owned = [0] * len(tensors)
    spaces: dict[Hashable, list[Run]] = {}
    for index, tensor in enumerate(tensors):
        if tensor.numel():
            space, runs = _runs(index, tensor)
            spaces.setdefault(space, []).extend(runs)
    for runs in spaces.values():
        high = 0
        for start, index, end in sorted(runs):
            owned[index] += max(0, end - max(start, high))
            high = max(high, end)
    return owned


def _runs(index: int, tensor: Tensor) -> tuple[Hashable, list[Run]]:
    """The address space of a tensor, and its runs."""
    if tensor.is_contiguous():
        space, base = _address(tensor)
        return space, [Run(base, index, base + tensor.nbytes)]
    size, (length, outer) = tensor.element_size(), _contiguous(tensor)
    count = math.prod(extent for _, extent in outer)
    if count > MAX_RUNS:
        return ("tensor", index), [Run(0, index, size * length * count)]
    space, base = _address(tensor)
    steps = itertools.product(*(range(0, stride * extent, stride) for stride, extent in outer))
    starts = [base + size * sum(step) for step in steps]
    return space, [Run(start, index, start + size * length) for start in starts]


def _contiguous(tensor: Tensor) -> tuple[int, list[tuple[int, int]]]:
    """The length of a contiguous run in values, then stride and extent of the other dimensions. Those of stride 0 take no memory."""
    length = 1
    outer: list[tuple[int, int]] = []
    for stride, extent in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if stride == length and not outer:
            length *= extent
        elif stride and extent > 1:
            outer.append((stride, extent))
    return length, outer


def _address(tensor: Tensor) -> tuple[Hashable, int]:
    """The address space and the address of the first value.

    Addresses are real where there are any, because two storages may share memory. On device meta, each storage is its own space.
    """
    if type(tensor) in _PLAIN and not tensor.is_meta:
        return tensor.device, tensor.data_ptr()
    storage, offset = tensor.untyped_storage(), int(tensor.storage_offset()) * tensor.element_size()
    base = storage.data_ptr()
    space: Hashable = tensor.device if base else ("storage", storage._cdata)
    return space, base + offset
