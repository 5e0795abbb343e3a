"""Capsule networks of other papers, small: they have convolutions, capsules and parameters of many axes, and are none of the shipped families.

Each runs on [batch, 1, 28, 28] and returns a value for each class.
"""

from __future__ import annotations

from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def patches(grid: Tensor, kernel: int, stride: int) -> Tensor:
    """[batch, height, width, capsules, …] as [batch, places, kernel²·capsules, …], as a convolution sees them."""
    windows = grid.unfold(1, kernel, stride).unfold(2, kernel, stride)  # kernel axes last
    moved: Tensor = windows.movedim((-2, -1), (3, 4)).flatten(3, 5)
    return moved.flatten(1, 2)


def on_grid(places: Tensor) -> Tensor:
    """[batch, side², …] as [batch, side, side, …]."""
    side = isqrt(places.shape[1])
    grid: Tensor = places.unflatten(1, (side, side))
    return grid


class MatrixCapsules(nn.Module):
    """Primary capsules of Hinton et al. 2018: a pose of 4×4 and an activation for each type and place, by convolutions of 1×1."""

    def __init__(self, channels: int, types: int) -> None:
        super().__init__()
        self.pose = nn.Conv2d(channels, types * 16, 1)
        self.activation = nn.Conv2d(channels, types, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        poses = self.pose(x).permute(0, 2, 3, 1).unflatten(-1, (-1, 4, 4))
        return poses, torch.sigmoid(self.activation(x).permute(0, 2, 3, 1))


class ExpectationMaximisation(nn.Module):
    """Votes of 4×4 matrices, clustered by EM (Hinton, Sabour, Frosst 2018, procedure 1)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs, 4, 4) / 4)
        self.beta_u = nn.Parameter(torch.zeros(outputs))
        self.beta_a = nn.Parameter(torch.zeros(outputs))

    def forward(self, poses: Tensor, activations: Tensor, iterations: int = 3) -> tuple[Tensor, Tensor]:
        """Poses [batch, places, inputs, 4, 4], activations [batch, places, inputs]."""
        votes = (poses.unsqueeze(3) @ self.weight).flatten(-2)
        r = torch.full(votes.shape[:-1], 1 / votes.shape[3])
        for step in range(iterations):
            weighted = (r * activations.unsqueeze(-1)).unsqueeze(-1)
            amount = weighted.sum(2, keepdim=True) + 1e-6
            mean = (weighted * votes).sum(2, keepdim=True) / amount
            variance = (weighted * (votes - mean) ** 2).sum(2, keepdim=True) / amount + 1e-4
            cost = (self.beta_u.unsqueeze(-1) + variance.log() / 2) * amount
            out = torch.sigmoid((step + 1) * 0.01 * (self.beta_a - cost.sum(-1)))
            density = -((votes - mean) ** 2 / (2 * variance) + variance.log() / 2).sum(-1)
            r = F.softmax(density + out.log(), dim=-1)
        return mean.squeeze(2).unflatten(-1, (4, 4)), out.squeeze(2)


class EMRouting(nn.Module):
    """Matrix capsules with EM routing (Hinton, Sabour, Frosst 2018, figure 1): conv, primary, two convolutional layers, classes."""

    def __init__(self, a: int = 32, b: int = 8, c: int = 8, d: int = 8, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, a, 5, stride=2, padding=2)
        self.primary = MatrixCapsules(a, b)
        self.first = ExpectationMaximisation(9 * b, c)
        self.second = ExpectationMaximisation(9 * c, d)
        self.classes = ExpectationMaximisation(d, classes)

    def forward(self, x: Tensor) -> Tensor:
        poses, activations = self.primary(F.relu(self.conv(x)))
        poses, activations = self.first(patches(poses, 3, 2), patches(activations, 3, 2))
        poses, activations = self.second(patches(on_grid(poses), 3, 1), patches(on_grid(activations), 3, 1))
        poses = on_grid(poses)
        poses = poses + self.coordinates(poses)  # the matrices of the classes are the same at every place
        votes = torch.cat([*poses.flatten(1, 2).unbind(1)], dim=1).unsqueeze(1)
        places = votes.shape[2] // self.classes.weight.shape[0]
        weight = self.classes.weight.repeat(places, 1, 1, 1)
        found = torch.func.functional_call(
            self.classes, {"weight": weight}, (votes, activations.flatten(1).unsqueeze(1))
        )
        logits: Tensor = found[1]
        return logits.squeeze(1)

    @staticmethod
    def coordinates(poses: Tensor) -> Tensor:
        """Row and column of the place, added to the first two values of the last column."""
        side = poses.shape[1]
        added = torch.zeros(side, side, 1, 4, 4)
        added[:, :, 0, 0, 3] = (torch.arange(side).unsqueeze(1) + 0.5) / side
        added[:, :, 0, 1, 3] = (torch.arange(side).unsqueeze(0) + 0.5) / side
        return added


class SelfRoutingLayer(nn.Module):
    """Each capsule routes itself by a layer of its own (Hahn, Pyeon, Kim 2019, equations 2 to 4): no iterations."""

    def __init__(self, inputs: int, outputs: int, dimension_in: int, dimension: int) -> None:
        super().__init__()
        self.pose = nn.Parameter(torch.randn(inputs, outputs, dimension_in, dimension) / dimension_in)
        self.route = nn.Parameter(torch.zeros(inputs, outputs, dimension_in))

    def forward(self, poses: Tensor, activations: Tensor) -> tuple[Tensor, Tensor]:
        """Poses [batch, places, inputs, dimension], activations [batch, places, inputs]."""
        coefficients = F.softmax(torch.einsum("bpid,iod->bpio", poses, self.route), dim=-1)
        weighted = coefficients * activations.unsqueeze(-1)
        votes = torch.einsum("bpid,iode->bpioe", poses, self.pose)
        out = weighted.sum(2) / activations.sum(2).unsqueeze(-1)
        return (weighted.unsqueeze(-1) * votes).sum(2) / weighted.sum(2).unsqueeze(-1), out


class SelfRouting(nn.Module):
    """Self-routing capsules (Hahn, Pyeon, Kim 2019). Without the convolutional layer it has the tensors of a CapsNet and the routing's."""

    def __init__(self, types: int = 16, dimension: int = 16, classes: int = 10, *, convolutional: bool = True) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 64, 9, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 128, 3, stride=2)
        )
        self.pose = nn.Conv2d(128, types * dimension, 3, stride=2)
        self.activation = nn.Conv2d(128, types, 3, stride=2)
        self.norm = nn.BatchNorm2d(types * dimension)
        self.convolutional = SelfRoutingLayer(9 * types, types, dimension, dimension) if convolutional else None
        self.classes = SelfRoutingLayer(types * (4 if convolutional else 16), classes, dimension, dimension)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.backbone(x))
        activations = torch.sigmoid(self.activation(x)).permute(0, 2, 3, 1)
        poses = self.norm(self.pose(x)).permute(0, 2, 3, 1).unflatten(-1, (activations.shape[-1], -1))
        if self.convolutional is not None:
            poses, activations = map(on_grid, self.convolutional(patches(poses, 3, 1), patches(activations, 3, 1)))
        logits: Tensor = self.classes(poses.flatten(1, 3).unsqueeze(1), activations.flatten(1).unsqueeze(1))[1]
        return logits.squeeze(1).log()


class VariationalLayer(nn.Module):
    """Votes as a mixture of Gaussians whose parameters have priors (De Sousa Ribeiro, Leontidis, Kollias 2020, algorithm 1), diagonal."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs, 4, 4) / 4)
        self.beta_u = nn.Parameter(torch.zeros(outputs))
        self.beta_a = nn.Parameter(torch.zeros(outputs))

    def forward(self, poses: Tensor, activations: Tensor, iterations: int = 3) -> tuple[Tensor, Tensor]:
        """Poses [batch, places, inputs, 4, 4], activations [batch, places, inputs]."""
        votes = (poses.unsqueeze(3) @ self.weight).flatten(-2)
        r = torch.full(votes.shape[:-1], 1 / votes.shape[3])
        alpha0 = kappa0 = 1.0
        freedom0 = torch.tensor(
            17.0
        )  # one more than the values of a pose; the means are 0 and the scales 1 before any vote
        for _ in range(iterations):
            weighted = (r * activations.unsqueeze(-1)).unsqueeze(-1)
            amount = weighted.sum(2, keepdim=True)
            alpha, kappa, freedom = alpha0 + amount, kappa0 + amount, freedom0 + amount
            mean = (weighted * votes).sum(2, keepdim=True) / kappa
            spread = (weighted * (votes - mean) ** 2).sum(2, keepdim=True) + kappa0 * mean**2
            precision = freedom / (1 + spread)
            log_precision = (torch.digamma(freedom / 2) - torch.digamma(freedom0 / 2) + precision.log()).sum(-1)
            log_weight = (torch.digamma(alpha) - torch.digamma(alpha.sum(3, keepdim=True))).squeeze(-1)
            density = (log_precision - (precision * (votes - mean) ** 2 + 1 / kappa).sum(-1)) / 2
            r = F.softmax(density + log_weight, dim=-1)
        entropy = -log_precision / 2
        out = torch.sigmoid(self.beta_a - (self.beta_u + entropy) * amount.squeeze(-1) / 100)
        return mean.squeeze(2).unflatten(-1, (4, 4)), out.squeeze(2)


class VariationalRouting(nn.Module):
    """Capsule routing via variational Bayes (De Sousa Ribeiro, Leontidis, Kollias 2020)."""

    def __init__(self, a: int = 64, b: int = 8, c: int = 16, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, a, 5, stride=2, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(a)
        self.primary = MatrixCapsules(a, b)
        self.first = VariationalLayer(9 * b, c)
        self.classes = VariationalLayer(36 * c, classes)

    def forward(self, x: Tensor) -> Tensor:
        poses, activations = self.primary(F.relu(self.norm(self.conv(x))))
        poses, activations = self.first(patches(poses, 3, 2), patches(activations, 3, 2))
        logits: Tensor = self.classes(poses.flatten(1, 2).unsqueeze(1), activations.flatten(1).unsqueeze(1))[1]
        return logits.squeeze(1)


class InvertedAttentionLayer(nn.Module):
    """Higher capsules compete for the votes by inverted dot products; layer normalisation instead of squash (Tsai et al. 2020)."""

    def __init__(self, inputs: int, outputs: int, dimension: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs, dimension, dimension) / dimension)
        self.norm = nn.LayerNorm(dimension)

    def forward(self, lower: Tensor, higher: Tensor | None) -> Tensor:
        """Lower capsules [batch, places, inputs, dimension]; the higher ones of the iteration before."""
        votes = torch.einsum("bpid,iode->bpioe", lower, self.weight)
        agreement = torch.zeros(votes.shape[:-1])
        if higher is not None:
            agreement = (votes * higher.unsqueeze(2)).sum(-1) / votes.shape[-1] ** 0.5
        updated: Tensor = self.norm((F.softmax(agreement, dim=-1).unsqueeze(-1) * votes).sum(2))
        return updated


class InvertedAttention(nn.Module):
    """Inverted dot-product attention routing (Tsai, Srivastava, Goh, Salakhutdinov 2020): concurrent iterations, one shared classifier."""

    def __init__(self, types: int = 16, dimension: int = 16, classes: int = 10) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 128, 3, stride=2), nn.ReLU()
        )
        self.primary = nn.Conv2d(128, types * dimension, 1)
        self.norm = nn.LayerNorm(dimension)
        self.first = InvertedAttentionLayer(9 * types, types, dimension)
        self.second = InvertedAttentionLayer(36 * types, types, dimension)
        self.classes = InvertedAttentionLayer(types, classes, dimension)
        self.classifier = nn.Linear(dimension, 1)
        self.types = types

    def forward(self, x: Tensor, iterations: int = 2) -> Tensor:
        primary = self.primary(self.backbone(x)).permute(0, 2, 3, 1).unflatten(-1, (self.types, -1))
        below = patches(self.norm(primary), 3, 2)
        first = second = classes = None
        for _ in range(iterations):
            first = self.first(below, first)
            second = self.second(first.flatten(1, 2).unsqueeze(1), second)
            classes = self.classes(second, classes)
        assert classes is not None
        logits: Tensor = self.classifier(classes)
        return logits.flatten(1)
