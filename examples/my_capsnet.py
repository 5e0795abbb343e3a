"""A CapsNet with the paper's 8,215,568 parameters that computes something else, and two steps that mend it: the example of the guide "Is my
CapsNet the paper's?". It runs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def squash(s: Tensor, dim: int = -1) -> Tensor:
    square = (s**2).sum(dim, keepdim=True)
    return square / (1 + square) * s / torch.sqrt(square + 1e-8)


class CapsNet(nn.Module):
    """As it was first written."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 256, kernel_size=9)
        self.primary = nn.Conv2d(256, 32 * 8, kernel_size=9, stride=2)
        self.W = nn.Parameter(0.01 * torch.randn(1, 32 * 6 * 6, 10, 16, 8))
        self.decoder = nn.Sequential(
            nn.Linear(160, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 784), nn.Sigmoid()
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = self.capsules(self.primary(F.relu(self.conv1(images))))
        v = self.route((self.W @ u[:, :, None, :, None]).squeeze(-1))
        lengths = v.norm(dim=-1)
        chosen = lengths.argmax(1) if labels is None else labels
        return lengths, self.decoder((v * F.one_hot(chosen, 10).unsqueeze(-1)).flatten(1))

    def capsules(self, grid: Tensor) -> Tensor:
        """Of the 256 channels [batch, 256, 6, 6]."""
        return squash(grid.view(len(grid), 1152, 8))

    def route(self, votes: Tensor) -> Tensor:
        """Of votes [batch, 1152, 10, 16]."""
        logits = torch.zeros(votes.shape[:3])
        for _ in range(3):
            v = squash((F.softmax(logits, dim=1).unsqueeze(-1) * votes).sum(1))
            logits = logits + (votes * v.unsqueeze(1)).sum(-1)
        return v


class AfterFirstStep(CapsNet):
    """The 8 values of a capsule are channels of one place, not neighbouring pixels of one channel."""

    def capsules(self, grid: Tensor) -> Tensor:
        """Of the 256 channels [batch, 256, 6, 6]."""
        return squash(grid.permute(0, 2, 3, 1).reshape(len(grid), 1152, 8))


class AfterSecondStep(AfterFirstStep):
    """The softmax is over the 10 classes, not over the 1152 inputs."""

    def route(self, votes: Tensor) -> Tensor:
        """Of votes [batch, 1152, 10, 16]."""
        logits = torch.zeros(votes.shape[:3])
        for _ in range(3):
            v = squash((F.softmax(logits, dim=2).unsqueeze(-1) * votes).sum(1))
            logits = logits + (votes * v.unsqueeze(1)).sum(-1)
        return v
