"""What the examples share."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn


def squash(s: Tensor, dim: int = -1, eps: float = 0.0) -> Tensor:
    n2 = (s**2).sum(dim=dim, keepdim=True)
    return n2 / (1 + n2) * s / torch.sqrt(n2 + eps)


def decoder() -> nn.Sequential:
    layers = [nn.Linear(160, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 144), nn.Sigmoid()]
    return nn.Sequential(*layers)


class Example(nn.Module):
    """`DEVIATIONS`: what it computes at the stages that differ. `UNSEEN`: stages that cannot be seen for that."""

    DEVIATIONS: ClassVar[dict[str, str]] = {}
    UNSEEN: ClassVar[frozenset[str]] = frozenset()
