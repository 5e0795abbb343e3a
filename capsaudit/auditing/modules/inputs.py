"""Inputs for a forward, made from shapes. No random number is drawn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def probe_inputs(
    module: nn.Module,
    shapes: Sequence[tuple[int, ...]],
    *,
    batch: int = 2,
    dtypes: Sequence[torch.dtype | None] = (),
) -> tuple[Tensor, ...]:
    """A tensor for each shape, which is without the batch, where the module's parameters are.

    `dtypes`: one for each shape, None or left out for the module's own. Floats lie between 0 and 1; whole numbers are 0, a valid index anywhere.
    """
    device, own = _manner(module)
    wanted = itertools.chain(dtypes, itertools.repeat(None))
    return tuple(_filled((batch, *shape), dtype or own, device) for shape, dtype in zip(shapes, wanted, strict=False))


def _manner(module: nn.Module) -> tuple[torch.device, torch.dtype]:
    tensors = list(itertools.chain(module.parameters(), module.buffers()))
    device = tensors[0].device if tensors else torch.device("cpu")
    return device, next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.get_default_dtype())


def _filled(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    values = torch.zeros(shape, dtype=dtype, device=device)
    if dtype.is_floating_point and device.type != "meta":
        values.copy_(torch.linspace(0, 1, values.numel()).reshape(shape))
    return values
