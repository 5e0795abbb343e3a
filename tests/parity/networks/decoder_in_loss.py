"""A decoder that only `loss` calls: forward returns class capsules, and everything else is in methods."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, decoder, squash


class DecoderInLoss(Example):
    """Clean as far as forward goes, which returns the lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.primary = nn.ModuleList([nn.Conv2d(16, 8, 5, stride=2) for _ in range(4)])
        self.W = nn.Parameter(torch.randn(1, 16, 10, 16, 8))
        self.decoder = decoder()

    def forward(self, x: Tensor) -> Tensor:
        lengths: Tensor = self.digit_capsules(x).norm(dim=-1)
        return lengths

    def digit_capsules(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.conv1(x))
        u = torch.stack([conv(x) for conv in self.primary], dim=1)
        u = squash(u.permute(0, 1, 3, 4, 2).reshape(len(x), 16, 8))
        return self.route((self.W @ u[:, :, None, :, None]).squeeze(-1))

    def route(self, u_hat: Tensor) -> Tensor:
        b = torch.zeros(len(u_hat), 16, 10)
        for _ in range(3):
            v = squash(torch.einsum("nij,nije->nje", b.softmax(2), u_hat))
            b = b + torch.einsum("nije,nje->nij", u_hat, v)
        return v

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        v = self.digit_capsules(x)
        lengths: Tensor = v.norm(dim=-1)
        one_hot = F.one_hot(y, 10)
        margin = one_hot * F.relu(0.9 - lengths) ** 2 + 0.5 * (1 - one_hot) * F.relu(lengths - 0.1) ** 2
        made: Tensor = self.decoder((v * one_hot.unsqueeze(-1)).flatten(1))
        return margin.sum(1).mean() + 0.0005 * (made - x.flatten(1)).square().sum(1).mean()


class BatchInLoss(DecoderInLoss):
    """The softmax has the batch's axis."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"softmax": "over the batch"}

    def route(self, u_hat: Tensor) -> Tensor:
        b = torch.zeros(len(u_hat), 16, 10)
        for _ in range(3):
            v = squash(torch.einsum("nij,nije->nje", b.softmax(0), u_hat))
            b = b + torch.einsum("nije,nje->nij", u_hat, v)
        return v
