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
    """Contiguous bytes of one tensor, from `start` up to `end`. `tensor`: its index. `space`: the address space."""

    space: Hashable
    start: int
    end: int
    tensor: int


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
    return type(tensor) not in _PLAIN and is_traceable_wrapper_subclass(tensor)


def dense_parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that make up a tensor: its values, then the indices of a sparse tensor; those inside a wrapper."""
    if is_wrapper(tensor):
        names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
        inner = (getattr(tensor, name) for name in names)
        return tuple(part for each in inner if isinstance(each, Tensor) for part in dense_parts(each))
    if tensor.layout == torch.sparse_coo:
        return tensor._values(), tensor._indices()
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.values(), tensor.crow_indices(), tensor.col_indices()
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return tensor.values(), tensor.ccol_indices(), tensor.row_indices()
    return (tensor,)


def _owned_bytes(tensors: Sequence[Tensor]) -> list[int]:
    """Sweep over the addresses. Bytes below `high`, the highest end so far, are attributed already."""
    owned, space, high = [0] * len(tensors), None, 0
    runs = [run for index, tensor in enumerate(tensors) for run in _runs(index, tensor)]
    order = {space: number for number, space in enumerate(dict.fromkeys(run.space for run in runs))}
    for run in sorted(runs, key=lambda run: (order[run.space], run.start, run.tensor)):
        high = high if run.space == space else run.start
        owned[run.tensor] += max(0, run.end - max(run.start, high))
        space, high = run.space, max(high, run.end)
    return owned


def _runs(index: int, tensor: Tensor) -> Iterator[Run]:
    size, (length, outer) = tensor.element_size(), _contiguous(tensor)
    count = math.prod(extent for _, extent in outer)
    if count > MAX_RUNS:
        yield Run(("tensor", index), 0, size * length * count, index)
    elif tensor.numel():
        space, base = _address(tensor)
        if not outer:
            yield Run(space, base, base + size * length, index)
            return
        for steps in itertools.product(*(range(0, stride * extent, stride) for stride, extent in outer)):
            start = base + size * sum(steps)
            yield Run(space, start, start + size * length, index)


def _contiguous(tensor: Tensor) -> tuple[int, list[tuple[int, int]]]:
    """The length of a contiguous run in values, then stride and extent of the other dimensions. Those of stride 0 take no memory."""
    length = 1
    outer: list[tuple[int, int]] = []
    if tensor.is_contiguous():
        return tensor.numel(), outer
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
    storage, offset = tensor.untyped_storage(), int(tensor.storage_offset()) * tensor.element_size()
    base = storage.data_ptr()
    space: Hashable = tensor.device if base else ("storage", storage._cdata)
    return space, base + offset
