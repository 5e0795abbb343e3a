"""An object as output, as libraries of models return it: fields, some of them None; a configuration object; one-hot labels by keyword."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, decoder, squash


@dataclass(frozen=True)
class Config:
    """Sizes, and choices that a subclass makes."""

    channels: int = 16
    kernel: int = 5
    types: int = 4
    places: int = 4
    classes: int = 10
    iterations: int = 3


@dataclass
class CapsNetOutput:
    logits: Tensor
    hidden_states: Tensor | None = None
    reconstruction: Tensor | None = None


class ModelOutput(Example):
    """Clean."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.conv1 = nn.Conv2d(1, config.channels, config.kernel)
        self.primary = nn.Conv2d(config.channels, 8 * config.types, config.kernel, stride=2)
        self.W = nn.Parameter(torch.randn(config.types * config.places, config.classes, 16, 8))
        self.decoder = decoder()

    def forward(
        self, pixel_values: Tensor, labels: Tensor | None = None, *, return_hidden: bool = True
    ) -> CapsNetOutput:
        u = self.primary_capsules(F.relu(self.conv1(pixel_values)))
        v = self.class_capsules(torch.einsum("ijed,bid->bije", self.W, u))
        mask = F.one_hot(v.norm(dim=-1).argmax(-1), 10).to(v) if labels is None else labels
        return CapsNetOutput(
            logits=self.scores(v),
            hidden_states=v if return_hidden else None,
            reconstruction=self.decoder((mask[..., None] * v).flatten(1)).view_as(pixel_values),
        )

    def primary_capsules(self, maps: Tensor) -> Tensor:
        grid = self.primary(maps).unflatten(1, (self.config.types, 8))
        return squash(grid.movedim(2, -1).flatten(1, 3), eps=1e-12)

    def class_capsules(self, hat: Tensor) -> Tensor:
        b = torch.zeros(hat.shape[:3], dtype=hat.dtype, device=hat.device)
        for iteration in range(self.config.iterations):
            v = squash(torch.einsum("bij,bije->bje", b.softmax(-1), hat), eps=1e-12)
            if iteration + 1 < self.config.iterations:
                b = b + torch.einsum("bije,bje->bij", hat, v)
        return v

    def scores(self, v: Tensor) -> Tensor:
        lengths: Tensor = v.norm(dim=-1)
        return lengths


class SoftmaxOfLengths(ModelOutput):
    """Scores as if for cross entropy, and a bare view of the channels."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "primary_caps.layout": "neighbouring pixels of one channel",
        "output": "softmax of the lengths",
    }

    def primary_capsules(self, maps: Tensor) -> Tensor:
        return squash(self.primary(maps).reshape(-1, 16, 8), eps=1e-12)

    def scores(self, v: Tensor) -> Tensor:
        lengths: Tensor = v.norm(dim=-1)
        return lengths.softmax(-1)


class SoftmaxOfSquares(ModelOutput):
    """The primary capsules are not squashed, those of the classes as in Efficient-CapsNet."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "primary_caps.squash": "no squash",
        "digit_caps.squash": "(1 − e^−|s|) · s/|s|",
        "output": "softmax of the squared lengths",
    }

    def primary_capsules(self, maps: Tensor) -> Tensor:
        grid: Tensor = self.primary(maps).unflatten(1, (self.config.types, 8))
        return grid.movedim(2, -1).flatten(1, 3)

    def class_capsules(self, hat: Tensor) -> Tensor:
        b = torch.zeros(hat.shape[:3])
        for _ in range(3):
            s = (b.softmax(-1).unsqueeze(-1) * hat).sum(1)
            length = s.norm(dim=-1, keepdim=True)
            v = (1 - torch.exp(-length)) * F.normalize(s, dim=-1)
            b = b + (hat * v.unsqueeze(1)).sum(-1)
        return v

    def scores(self, v: Tensor) -> Tensor:
        return torch.softmax(v.square().sum(-1), dim=-1)


class BareDecoderEnd(ModelOutput):
    """The decoder ends without a sigmoid, and has tanh between its layers."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "decoder": "masked by the target, tanh between its layers, no activation at its end"
    }

    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.Sequential(nn.Linear(160, 32), nn.Tanh(), nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 144))
