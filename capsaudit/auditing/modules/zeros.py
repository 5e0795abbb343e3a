"""How many values of a parameter are not zero, as its layer uses it."""

from __future__ import annotations

import torch
from torch import Tensor

from capsaudit.auditing.modules.walking import Slot


def nonzero(slot: Slot) -> int | None:
    """None where there are no values to read. A pruned parameter is stored whole, and its zeros are in a mask beside it."""
    tensor = slot.tensor.detach()
    if tensor.untyped_storage().device.type == "meta" if tensor.layout == torch.strided else tensor.is_meta:
        return None
    mask = _mask(slot)
    return int(torch.count_nonzero(_countable(tensor if mask is None else tensor * mask)))


def _mask(slot: Slot) -> Tensor | None:
    stem = slot.name.removesuffix("_orig")
    return None if stem == slot.name else dict(slot.module._buffers.items()).get(f"{stem}_mask")


def _countable(tensor: Tensor) -> Tensor:
    """Torch counts the zeros neither of sparse, nor of quantised, nor of 8-bit floating-point tensors."""
    if tensor.layout != torch.strided:
        return tensor.coalesce().values() if tensor.layout == torch.sparse_coo else tensor.values()
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor
