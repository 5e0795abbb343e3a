"""The CapsNet of Sabour et al. 2017 as its paper describes it, each stage of the forward pass on a line of its own."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def squash(s: Tensor, dim: int = -1) -> Tensor:
    square = (s**2).sum(dim, keepdim=True)
    return square / (1 + square) * s / torch.sqrt(square + 1e-8)


class CapsNet(nn.Module):
    def __init__(self, size: int = 28, channels: int = 256, kernel: int = 9, types: int = 32) -> None:
        super().__init__()
        grid = (size - 2 * kernel + 1) // 2 + 1
        self.conv1 = nn.Conv2d(1, channels, kernel)
        self.primary_caps = nn.Conv2d(channels, types * 8, kernel, stride=2)
        self.W = nn.Parameter(0.01 * torch.randn(grid * grid * types, 10, 8, 16))
        self.fc1, self.fc2, self.fc3 = nn.Linear(160, 512), nn.Linear(512, 1024), nn.Linear(1024, size * size)

    def forward(self, images: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = F.relu(self.conv1(images))
        x = self.primary_caps(x)
        u = x.flatten(2).transpose(1, 2).reshape(len(x), -1, 8)
        u = squash(u)
        u_hat = torch.einsum("bid,ijde->bije", u, self.W)
        b = torch.zeros(u_hat.shape[:3])
        for _ in range(3):
            c = F.softmax(b, dim=2)
            s = (c.unsqueeze(-1) * u_hat).sum(1)
            v = squash(s)
            b = b + (u_hat * v.unsqueeze(1)).sum(-1)
        scores = v.norm(dim=-1)
        chosen = scores.argmax(1) if targets is None else targets
        x = (v * F.one_hot(chosen, 10).unsqueeze(-1)).flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = torch.sigmoid(self.fc3(x))
        return scores, x
