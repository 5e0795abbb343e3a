"""Convolutions written out as `unfold` and a product of matrices; W as [1, 10, 16, 8, 16]; labels are absent."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example


def length_of(s: Tensor, axis: int) -> Tensor:
    return torch.sqrt(torch.sum(torch.square(s), axis, keepdim=True))


class Unfolded(Example):
    """Clean: without a decoder, and the class capsules are returned beside their lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.conv2 = nn.Conv2d(16, 32, 5, stride=2)
        self.W = nn.Parameter(torch.rand(1, 10, 16, 8, 16) - 0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu(self.convolved(x, self.conv1, 1, 8))
        u = self.squash(self.cut(self.convolved(x, self.conv2, 2, 2)))
        priors = (u[:, None, :, None, :] @ self.W).squeeze(3)
        v = self.route(priors)
        return length_of(v, -1).squeeze(-1), v

    def convolved(self, x: Tensor, conv: nn.Conv2d, stride: int, side: int) -> Tensor:
        patches = F.unfold(x, kernel_size=5, stride=stride)
        assert conv.bias is not None
        made = conv.weight.flatten(1) @ patches + conv.bias[None, :, None]
        return made.view(x.size(0), -1, side, side)

    def cut(self, x: Tensor) -> Tensor:
        return x.view(x.size(0), 8, 16).transpose(1, 2)

    def squash(self, s: Tensor, axis: int = -1) -> Tensor:
        n = length_of(s, axis)
        return (n**2 / (n**2 + 1)) * s / n

    def route(self, priors: Tensor) -> Tensor:
        b = torch.zeros(*priors.shape[:3], 1)
        for i in range(3):
            v = self.squash(torch.sum(F.softmax(b, dim=1) * priors, dim=2, keepdim=True))
            if i != 2:
                b = b + torch.sum(priors * v, dim=-1, keepdim=True)
        return v.squeeze(2)


class OverAllCapsules(Unfolded):
    """The primary squash has the axis that is the last one's before the capsules are turned."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"primary_caps.squash": "eq. 1, over the 16 capsules"}

    def cut(self, x: Tensor) -> Tensor:
        capsules = x.view(x.size(0), 8, 16)
        n = length_of(capsules, -1)
        return (n**2 / (n**2 + 1) * capsules / n).transpose(1, 2)

    def squash(self, s: Tensor, axis: int = -1) -> Tensor:
        return s if s.dim() == 3 else super().squash(s, axis)


class NoneOfTheAbove(Unfolded):
    """A logit of zero for what belongs to no class, as the paper has it for CIFAR-10 only; agreements summed over the batch."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "softmax": "over the classes and none of the above",
        "agreement": "added, summed over the batch",
    }

    def route(self, priors: Tensor) -> Tensor:
        b = torch.zeros(10, 16)
        for _ in range(3):
            c = torch.softmax(torch.cat([b, torch.zeros(1, 16)]), dim=0)[:10]
            v = self.squash(torch.einsum("ci,bcio->bco", c, priors))
            b = b + torch.einsum("bcio,bco->ci", priors, v)
        return v
