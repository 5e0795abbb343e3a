"""A batch size that is written into the model: it runs with seven images and no other number."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, squash

BATCH = 7


class HardCodedBatch(Example):
    """Squared lengths, and no decoder."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"output": "squared lengths"}

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.primary = nn.Conv2d(16, 32, 5, stride=2)
        self.W = nn.Parameter(torch.randn(16, 10, 8, 16))

    def forward(self, x: Tensor) -> Tensor:
        u = squash(self.primary(F.relu(self.conv1(x))).view(BATCH, 8, 16).transpose(1, 2))
        hat = torch.einsum("bid,ijde->bije", u, self.W)
        b = torch.zeros(BATCH, 16, 10)
        for _ in range(3):
            v = squash((b.softmax(2).view(BATCH, 16, 10, 1) * hat).sum(1))
            b = b + (hat * v.view(BATCH, 1, 10, 16)).sum(3)
        return v.square().sum(2)
