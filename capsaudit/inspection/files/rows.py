"""Rows for tensors of which only a file is known: their names, shapes and dtypes."""

from __future__ import annotations

import math

from capsaudit.arithmetic import Shape
from capsaudit.inventory import InventoryTensor

TRAINABLE_ASSUMED = (
    "a file does not record which tensors were trained; all are assumed trainable except batch-norm statistics"
)

TRAINABLE_RECORDED = "which tensors were trained is as the network in the file's metadata says"

_STATISTICS = frozenset({"running_mean", "running_var", "num_batches_tracked", "moving_mean", "moving_variance"})
"""Names of the buffers of torch's batch norms, and of Keras' non-trainable weights of its own, which a file calls `moving_mean:0`."""


def file_row(
    name: str, shape: Shape, dtype: str, size: int, counts: dict[str, int] | None = None, same_as: str | None = None
) -> InventoryTensor:
    """Make the row of a tensor by its full name. `size`: its memory in bytes. `counts`: counts by other policies."""
    layer, _, own = name.rpartition(".")
    buffer = own.removesuffix(":0") in _STATISTICS
    return InventoryTensor(
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
