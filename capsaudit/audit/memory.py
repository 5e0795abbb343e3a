"""Memory that tensors take up, once each: views of one storage overlap, an expanded tensor is smaller than its shape, a sparse one has entries."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

RUNS = 10_000
"""Pieces of one tensor that are told apart. A tensor in more pieces than that is taken not to overlap with others."""


class Stored(NamedTuple):
    """What of a tensor lies in memory that belongs to no tensor before it."""

    values: int
    bytes: int


class Piece(NamedTuple):
    """Neighbouring bytes. `place`: what the addresses are addresses of; `tensor`: the number of the tensor that lies there."""

    place: Hashable
    start: int
    end: int
    tensor: int


def stored(tensors: Sequence[Tensor]) -> list[Stored]:
    """Each tensor's part of the memory that they share: every byte is told once, so that the parts add up."""
    owned = _owned([part for tensor in tensors for part in parts(tensor)])
    found = iter(owned)
    return [_stored(tensor, list(itertools.islice(found, len(parts(tensor))))) for tensor in tensors]


def _stored(tensor: Tensor, owned: Sequence[int]) -> Stored:
    return Stored(owned[0] // parts(tensor)[0].element_size(), sum(owned))


def parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that a tensor is made of, its values first."""
    if tensor.layout == torch.strided:
        return (tensor,)
    if tensor.layout == torch.sparse_coo:
        return tensor._values(), tensor._indices()
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.values(), tensor.crow_indices(), tensor.col_indices()
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return tensor.values(), tensor.ccol_indices(), tensor.row_indices()
    return (tensor,)


def _owned(tensors: Sequence[Tensor]) -> list[int]:
    """A sweep over the addresses: bytes below the highest end so far belong to somebody already."""
    owned, place, high = [0] * len(tensors), None, 0
    pieces = [piece for number, tensor in enumerate(tensors) for piece in _pieces(number, tensor)]
    order = {place: number for number, place in enumerate(dict.fromkeys(piece.place for piece in pieces))}
    for piece in sorted(pieces, key=lambda one: (order[one.place], one.start, one.tensor)):
        high = high if piece.place == place else piece.start
        owned[piece.tensor] += max(0, piece.end - max(piece.start, high))
        place, high = piece.place, max(high, piece.end)
    return owned


def _pieces(number: int, tensor: Tensor) -> Iterator[Piece]:
    size = tensor.element_size()
    run, outer = _run(tensor)
    if not tensor.numel():
        return
    place, base = _place(tensor)
    if math.prod(extent for _, extent in outer) > RUNS:
        yield Piece(("apart", number), 0, size * run * math.prod(extent for _, extent in outer), number)
        return
    for steps in itertools.product(*(range(0, stride * extent, stride) for stride, extent in outer)):
        yield Piece(place, base + size * sum(steps), base + size * (sum(steps) + run), number)


def _run(tensor: Tensor) -> tuple[int, list[tuple[int, int]]]:
    """The values that neighbour each other, and stride and extent of the dimensions that do not. Stride 0 repeats and takes no memory."""
    run, outer = 1, []
    for stride, extent in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if stride == run and not outer:
            run *= extent
        elif stride and extent > 1:
            outer.append((stride, extent))
    return run, outer


def _place(tensor: Tensor) -> tuple[Hashable, int]:
    """Real addresses where there are any: two storages may be given the same memory. On device meta, the storage itself is the place."""
    storage, offset = tensor.untyped_storage(), tensor.storage_offset() * tensor.element_size()
    base = storage.data_ptr()
    return (tensor.device, base + offset) if base else (("storage", storage._cdata), offset)
