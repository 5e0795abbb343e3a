"""Rows for tensors of which only a file tells: their names, shapes and dtypes."""

from __future__ import annotations

import math

from msgspec import Struct

from capsaudit.arithmetic import Shape
from capsaudit.inventory import AuditedTensor

UNTOLD = "a file does not say what was trained: all but the running statistics of batch norms counts as trainable"

_BUFFERS = frozenset({"running_mean", "running_var", "num_batches_tracked"})
"""Names that torch's batch norms give to what no gradient reaches."""


class Contents(Struct, frozen=True):
    """What a file holds, and how it was read."""

    tensors: tuple[AuditedTensor, ...]
    notes: tuple[str, ...]


def file_row(
    name: str, shape: Shape, dtype: str, size: int, counts: dict[str, int] | None = None, same_as: str | None = None
) -> AuditedTensor:
    """A tensor by its full name; `size` in bytes, and both size and count are 0 where it is the same as another."""
    layer, _, own = name.rpartition(".")
    buffer = own in _BUFFERS
    return AuditedTensor(
        name=name,
        layer=layer,
        kind="",
        shape=shape,
        count=0 if same_as is not None else math.prod(shape),
        trainable=not buffer,
        buffer=buffer,
        dtype=dtype,
        bytes=size,
        same_as=same_as,
        counts=counts or {},
    )
