"""`detach` in the routing loop; W as [160, 16, 8] split when it is used; lists of tensors instead of axes."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, decoder


def squash(x: Tensor) -> Tensor:
    squared_norm = (x**2).sum(-1, keepdim=True)
    return squared_norm / (1 + squared_norm) / (squared_norm.sqrt() + 1e-7) * x


class Detached(Example):
    """Clean: all iterations but the last see û without its gradient; the primary capsules are eight convolutions of four channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.capsules = nn.ModuleList(nn.Conv2d(16, 4, 5, 2) for _ in range(8))
        self.weight = nn.Parameter(0.02 * torch.randn(10, 16, 16, 8))
        self.decoder = decoder()

    def forward(self, x: Tensor, y: Tensor) -> list[Tensor]:
        x = F.relu(self.conv1(x))
        u = squash(torch.cat([conv(x).flatten(1).unsqueeze(-1) for conv in self.capsules], dim=-1))
        x_hat = torch.squeeze(torch.matmul(self.weight, u[:, None, :, :, None]), dim=-1)
        v = self.route(x_hat)
        mask = torch.zeros(len(y), 10).index_put_((torch.arange(len(y)), y), torch.ones(()))
        return [v.norm(dim=-1), self.decoder((v * mask[:, :, None]).view(len(y), -1)).view(-1, 1, 12, 12)]

    def route(self, x_hat: Tensor) -> Tensor:
        x_hat_detached = x_hat.detach()
        b = torch.zeros(x_hat.size(0), 10, 16)
        for i in range(3):
            c = F.softmax(b, dim=1)
            if i == 2:
                v = squash(torch.sum(c[..., None] * x_hat, dim=-2))
            else:
                v = squash(torch.sum(c[..., None] * x_hat_detached, dim=-2))
                b = b + torch.sum(v[:, :, None] * x_hat_detached, dim=-1)
        return v


class HalfDetached(Detached):
    """û is detached in the agreement alone, and the batch shares its logits."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "agreement": "added, averaged over the batch",
        "gradient": "through all iterations, but for û in the agreement",
    }

    def route(self, x_hat: Tensor) -> Tensor:
        b = torch.zeros(1, 10, 16)
        for i in range(3):
            v = squash((b.softmax(1)[..., None] * x_hat).sum(2))
            if i < 2:
                b = b + (v[:, :, None] * x_hat.data).sum(-1).mean(0, keepdim=True)
        return v


class CapsuleByCapsule(Detached):
    """A Python list of class capsules, each routed by itself: so its softmax is over the inputs. Squashed twice."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"softmax": "over the inputs", "digit_caps.squash": "eq. 1 twice"}

    def route(self, x_hat: Tensor) -> Tensor:
        return torch.stack([self.one_class(x_hat[:, j]) for j in range(10)], dim=1)

    def one_class(self, votes: Tensor) -> Tensor:
        b = torch.zeros(votes.shape[:2])
        for _ in range(3):
            v = squash(squash((torch.softmax(b, 1).unsqueeze(2) * votes).sum(1)))
            b = b + (votes * v.unsqueeze(1)).sum(2)
        return v
