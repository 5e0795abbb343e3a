"""The shapes that a real forward pass produces, seen by hooks. On device meta nothing is computed and nothing allocated."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from capsaudit.models import build
from capsaudit.spec import Spec

Shapes = tuple[tuple[int, ...], tuple[int, ...]]


def traced_shapes(spec: Spec, *, device: str = "meta") -> dict[str, Shapes]:
    """Input and output shape of each layer with parameters, without the batch, by the layer's name."""
    model = build(spec, device=device)
    seen: dict[str, Shapes] = {}
    for path, module in model.named_modules():
        if next(module.parameters(recurse=False), None) is not None:
            module.register_forward_hook(_recorder(path.rpartition(".")[2], seen))
    image = spec.image
    with torch.no_grad():
        model(torch.empty(2, image.channels, image.height, image.width, device=device))
    return seen


def _recorder(name: str, seen: dict[str, Shapes]) -> Any:
    def record(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen[name] = tuple(inputs[0].shape[1:]), tuple(output.shape[1:])

    return record
