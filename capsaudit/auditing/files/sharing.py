"""Which tensors of a file are the same memory: one under two names, a part of another, or fewer values than their shape says."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import torch
from msgspec import Struct

from capsaudit.auditing.modules.occupancy import parts, stored

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
