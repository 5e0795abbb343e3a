"""Capsule networks in the ways people write them: the same layers under other names, cut and shaped differently. They run."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def squash(s: Tensor) -> Tensor:
    square = (s**2).sum(-1, keepdim=True)
    return square / (1 + square) * s / torch.sqrt(square + 1e-8)


def route(votes: Tensor, logits: Tensor, iterations: int = 3) -> Tensor:
    """votes [batch, capsules, classes, 16], logits [capsules, classes]."""
    b = logits.expand(votes.shape[0], -1, -1)
    for _ in range(iterations):
        v = squash((F.softmax(b, dim=2).unsqueeze(-1) * votes).sum(1))
        b = b + (votes * v.unsqueeze(1)).sum(-1)
    return v


def masked(v: Tensor) -> Tensor:
    longest = F.one_hot(v.norm(dim=-1).argmax(1), v.shape[1]).to(v.dtype)
    return (v * longest.unsqueeze(-1)).flatten(1)


class EightConvolutions(nn.Module):
    """Eight convolutions of 32 channels, W as [10, 1152, 8, 16]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(1, 256, 9)
        self.capsules = nn.ModuleList([nn.Conv2d(256, 32, 9, stride=2) for _ in range(8)])
        self.route_weights = nn.Parameter(0.01 * torch.randn(10, 32 * 6 * 6, 8, 16))
        self.decoder = nn.Sequential(
            nn.Linear(160, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 784), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Any:
        x = F.relu(self.conv_layer(x))
        u = squash(torch.stack([capsule(x).flatten(1) for capsule in self.capsules], dim=-1))
        votes = torch.einsum("bni,cnij->bncj", u, self.route_weights)
        v = route(votes, torch.zeros(votes.shape[1:3]))
        return v.norm(dim=-1), self.decoder(masked(v))


class OneConvolution(nn.Module):
    """One convolution of 256 channels, W as [1, 1152, 10, 16, 8], the logits a trained parameter of shape [1, 1152, 10, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 256, kernel_size=9)
        self.primary = nn.Conv2d(256, 256, kernel_size=9, stride=2)
        self.W = nn.Parameter(0.01 * torch.randn(1, 1152, 10, 16, 8))
        self.b = nn.Parameter(torch.zeros(1, 1152, 10, 1))
        self.fc1, self.fc2, self.fc3 = nn.Linear(160, 512), nn.Linear(512, 1024), nn.Linear(1024, 784)

    def forward(self, x: Tensor) -> Any:
        u = squash(self.primary(F.relu(self.conv1(x))).view(x.shape[0], 32, 8, 36).transpose(2, 3).reshape(-1, 1152, 8))
        v = route(torch.einsum("bni,ncji->bncj", u, self.W[0]), self.b[0, :, :, 0])
        return {
            "lengths": v.norm(dim=-1),
            "image": torch.sigmoid(self.fc3(F.relu(self.fc2(F.relu(self.fc1(masked(v))))))),
        }


class ThirtyTwoConvolutions(nn.Module):
    """32 convolutions of 8 channels, W as [1152, 8, 160], a decoder that takes the 16 values of one capsule."""

    class Digits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(0.01 * torch.randn(1152, 8, 160))

        def forward(self, u: Tensor) -> Tensor:
            votes = torch.einsum("bni,nio->bno", u, self.weight).view(u.shape[0], 1152, 10, 16)
            return route(votes, torch.zeros(1152, 10))

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 256, 9), nn.ReLU())
        self.units = nn.ModuleList([nn.Conv2d(256, 8, 9, 2) for _ in range(32)])
        self.digits = self.Digits()
        self.reconstruct = nn.Sequential(
            nn.Linear(16, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 784)
        )

    def forward(self, x: Tensor) -> Any:
        x = self.features(x)
        u = squash(torch.cat([unit(x).flatten(2).transpose(1, 2) for unit in self.units], dim=1))
        v = self.digits(u)
        chosen = v[torch.arange(len(v)), v.norm(dim=-1).argmax(1)]
        return v.norm(dim=-1), self.reconstruct(chosen)


class OtherWidths(EightConvolutions):
    """A decoder of 522 and 1176."""

    def __init__(self, first: int = 522, second: int = 1176) -> None:
        super().__init__()
        self.decoder = nn.Sequential(
            nn.Linear(160, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 784), nn.Sigmoid()
        )


class LargerWithBias(nn.Module):
    """36×36 pixels and a bias on the class capsules, as the released code has it."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Conv2d(1, 256, 9)
        self.p = nn.Conv2d(256, 256, 9, 2)
        self.w = nn.Parameter(0.01 * torch.randn(3200, 8, 160))
        self.digit_bias = nn.Parameter(torch.zeros(10, 16))
        self.d = nn.ModuleList([nn.Linear(160, 512), nn.Linear(512, 1024), nn.Linear(1024, 1296)])

    def forward(self, x: Tensor) -> Any:
        u = squash(self.p(F.relu(self.c(x))).view(len(x), 32, 8, 100).transpose(2, 3).reshape(len(x), 3200, 8))
        votes = torch.einsum("bni,nio->bno", u, self.w).view(len(x), 3200, 10, 16)
        v = squash(route(votes, torch.zeros(3200, 10)) + self.digit_bias)
        x = masked(v)
        for layer in self.d:
            x = F.relu(layer(x))
        return v.norm(dim=-1), x


def with_inputs() -> tuple[nn.Module, tuple[Tensor]]:
    """A factory that brings its own inputs."""
    return EightConvolutions(), (torch.zeros(2, 1, 28, 28),)
