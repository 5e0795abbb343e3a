"""A chain of fully connected layers `fc1 … fcN`, and the decoder that is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit import spec


class FullyConnected(nn.Module):
    """Fully connected layers with a ReLU between them; dropout, if any, before the last."""

    def __init__(self, widths: Sequence[int], *, device: str, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        for index, (inputs, outputs) in enumerate(pairwise(widths), start=1):
            self.add_module(f"fc{index}", nn.Linear(inputs, outputs, device=device))

    def forward(self, values: Float[Tensor, "batch n"]) -> Float[Tensor, "batch m"]:
        """Outputs of the last layer, before any activation."""
        *hidden, last = self.children()
        for layer in hidden:
            values = F.relu(layer(values))
        outputs: Tensor = last(F.dropout(values, self.dropout, self.training))
        return outputs


class Decoder(FullyConnected):
    """The reconstruction network (section 4.1): from one class capsule to the pixels, through a sigmoid."""

    def __init__(self, decoder: spec.Decoder, *, classes: int, dimension: int, image: spec.Image, device: str) -> None:
        self.image_shape = (image.channels, image.height, image.width)
        self.selects = decoder.input == "selected"
        inputs = dimension if self.selects else classes * dimension
        super().__init__((inputs, *decoder.hidden, math.prod(self.image_shape)), device=device)

    def reconstruct(
        self, capsules: Float[Tensor, "batch cls dim"], classes: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch c h w"]:
        """The images that the capsules of `classes` stand for, in [0, 1]."""
        pixels: Tensor = self(self._chosen(capsules, classes)).sigmoid()
        return pixels.view(-1, *self.image_shape)

    def _chosen(self, capsules: Tensor, classes: Tensor) -> Tensor:
        if self.selects:
            return capsules[torch.arange(len(capsules), device=capsules.device), classes]
        mask = F.one_hot(classes, capsules.shape[1]).to(capsules.dtype)
        return (capsules * mask.unsqueeze(-1)).flatten(1)
