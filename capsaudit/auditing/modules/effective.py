"""Parametrised weights have two sizes: that of the tensors they are made from, which are stored, and that of the weight the layer uses."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from capsaudit.auditing.modules.forwarding import forwarded
from capsaudit.auditing.modules.keeping import unchanged


def effective(module: nn.Module) -> dict[str, int]:
    """Values in use by the name of the parameter that stands for them; what the others of the same weight hold is not used as it is."""
    if isinstance(module, ParametrizationList):
        return _parametrised(module)
    hooks = module._forward_pre_hooks.values()
    return {f"{hook.name}_g": 0 for hook in hooks if type(hook).__name__ == "WeightNorm"}  # type: ignore[attr-defined]


def _parametrised(originals: ParametrizationList) -> dict[str, int]:
    """The shape is known to the parametrisation alone, so it is asked; spectral_norm would change itself in training mode."""
    with unchanged(originals), torch.no_grad():
        values: Any = forwarded(originals, (), {})
    sizes = {name: tensor.numel() for name, tensor in originals._parameters.items() if tensor is not None}
    largest = max(sizes, key=lambda name: sizes[name], default="")
    return {name: values.numel() if name == largest else 0 for name in sizes}
