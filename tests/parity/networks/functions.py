"""Free functions that are given all they need: squash by `norm` with an ε in two places, routing by einsum; W as [10, 16, 16, 8]."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, decoder


def squash(s: Tensor, axis: int = -1, eps: float = 1e-8) -> Tensor:
    norm: Tensor = torch.norm(s, dim=axis, keepdim=True)
    return norm**2 / (1 + norm**2 + eps) * (s / (norm + eps))


def routing(votes: Tensor, iterations: int) -> Tensor:
    """Of votes [batch, class, capsule, 16]."""
    b = votes.new_zeros(votes.shape[:3])
    v = squash(torch.einsum("bci,bcio->bco", F.softmax(b, dim=1), votes))
    for _ in range(iterations - 1):
        b = b + torch.einsum("bcio,bco->bci", votes, v)
        v = squash(torch.einsum("bci,bcio->bco", F.softmax(b, dim=1), votes))
    return v


def routing_with_a_pass_before(votes: Tensor, iterations: int) -> Tensor:
    """As many passes as asked for, and the one that it begins with; the softmax is over the capsules."""
    b = votes.new_zeros(votes.shape[:3])
    v = squash(torch.einsum("bci,bcio->bco", F.softmax(b, dim=2), votes))
    for _ in range(iterations):
        b = b + torch.einsum("bcio,bco->bci", votes, v)
        v = squash(torch.einsum("bci,bcio->bco", F.softmax(b, dim=2), votes))
    return v


def one_of(v: Tensor, index: Tensor) -> Tensor:
    """The capsules [batch, 10, 16] with all but one set to zero."""
    mask = torch.zeros(v.shape[:2]).scatter_(1, index.unsqueeze(1), 1.0)
    return torch.mul(v, mask.unsqueeze(2))


class Prediction(NamedTuple):
    scores: Tensor
    reconstruction: Tensor


class Functions(Example):
    """Clean: a named tuple as output, labels as indices under another name."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 16, 5), nn.ReLU(inplace=True), nn.Conv2d(16, 32, 5, 2))
        self.matrices = nn.Parameter(0.05 * torch.randn(10, 16, 16, 8))
        self.generator = decoder()

    def forward(self, image: Tensor, target: Tensor) -> Prediction:
        capsules = squash(self.features(image).flatten(2).transpose(1, 2).reshape(-1, 16, 8))
        votes = torch.matmul(self.matrices, capsules[:, None, :, :, None]).squeeze(4)
        v = self.routed(votes)
        return Prediction(self.scored(v), self.generator(one_of(v, self.chosen(v, target)).flatten(1)))

    def routed(self, votes: Tensor) -> Tensor:
        return routing(votes, 3)

    def scored(self, v: Tensor) -> Tensor:
        lengths: Tensor = v.norm(dim=2)
        return lengths

    def chosen(self, v: Tensor, target: Tensor) -> Tensor:
        return target if self.training else v.norm(dim=2).argmax(1)


class PassBefore(Functions):
    """One pass too many, a softmax over the capsules, and the decoder is given the prediction, also in training."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "softmax": "over the inputs",
        "iterations": "4",
        "decoder": "masked by the prediction",
    }

    def routed(self, votes: Tensor) -> Tensor:
        return routing_with_a_pass_before(votes, 3)

    def chosen(self, v: Tensor, target: Tensor) -> Tensor:
        del target
        return (v**2).sum(2).max(1).indices


class LogProbabilities(Functions):
    """Scores for `nll_loss`."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"output": "log softmax of the lengths"}

    def scored(self, v: Tensor) -> Tensor:
        return F.log_softmax(v.norm(dim=2), dim=1)


class OneHotOutput(Functions):
    """Only the class is returned; no gradient comes back through it."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"output": "one-hot of the longest", "gradient": "none reaches W"}

    def scored(self, v: Tensor) -> Tensor:
        return F.one_hot(v.norm(dim=2).argmax(1), 10).to(v.dtype)
