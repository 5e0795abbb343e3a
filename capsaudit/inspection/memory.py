"""Memory that live tensors occupy, told once: views of one storage overlap, an expanded or sparse tensor has fewer values than its shape."""

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
    """What of a tensor lies in memory that no other tensor is told to own."""

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
    made_of = [parts(tensor) for tensor in tensors]
    owned = iter(_owned([part for those in made_of for part in those]))
    return [_stored(those[0].element_size(), list(itertools.islice(owned, len(those)))) for those in made_of]


def _stored(size: int, owned: Sequence[int]) -> Stored:
    """Values of the first part, bytes of all."""
    return Stored(owned[0] // size, sum(owned))


def parts(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that a tensor is made of, its values first."""
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
    size, (run, outer) = tensor.element_size(), _run(tensor)
    runs = math.prod(extent for _, extent in outer)
    place, base = _place(tensor) if runs <= RUNS else (("apart", number), 0)
    if runs > RUNS:
        yield Piece(place, base, size * run * runs, number)
    elif tensor.numel():
        for steps in itertools.product(*(range(0, stride * extent, stride) for stride, extent in outer)):
            yield Piece(place, base + size * sum(steps), base + size * (sum(steps) + run), number)


def _run(tensor: Tensor) -> tuple[int, list[tuple[int, int]]]:
    """Values that neighbour each other, and stride and extent of the dimensions that do not. Stride 0 repeats and takes no memory."""
    run = 1
    outer: list[tuple[int, int]] = []
    for stride, extent in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if stride == run and not outer:
            run *= extent
        elif stride and extent > 1:
            outer.append((stride, extent))
    return run, outer


def _place(tensor: Tensor) -> tuple[Hashable, int]:
    """Real addresses where there are any: two storages may be given the same memory. On device meta, the storage itself is the place."""
    storage, offset = tensor.untyped_storage(), int(tensor.storage_offset()) * tensor.element_size()
    base = storage.data_ptr()
    place: Hashable = tensor.device if base else ("storage", storage._cdata)
    return place, base + offset
