"""A class for each layer: eight convolutions of four channels, stacked; W as [10, 16, 8, 16], the class first."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, decoder, squash


class PrimaryLayer(nn.Module):
    """Eight convolutions of four channels, stacked: the channels of one place are a capsule."""

    def __init__(self) -> None:
        super().__init__()
        self.capsules = nn.ModuleList([nn.Conv2d(16, 4, 5, stride=2) for _ in range(8)])

    def forward(self, x: Tensor) -> Tensor:
        u = torch.stack([conv(x) for conv in self.capsules], dim=1)
        return squash(u.view(len(x), 8, -1).transpose(1, 2), eps=1e-7)


class DigitLayer(nn.Module):
    """W as [10, 16, 8, 16]: the class comes first, as do the votes."""

    softmax_axis = 0
    passes = 3

    def __init__(self) -> None:
        super().__init__()
        self.route_weights = nn.Parameter(torch.randn(10, 16, 8, 16))

    def forward(self, u: Tensor) -> Tensor:
        priors = u[None, :, :, None, :] @ self.route_weights[:, None, :, :, :]
        logits = torch.zeros(*priors.size())
        for i in range(self.passes):
            probs = F.softmax(logits, dim=self.softmax_axis)
            outputs = squash((probs * priors).sum(dim=2, keepdim=True))
            if i != self.passes - 1:
                logits = logits + (priors * outputs).sum(dim=-1, keepdim=True)
        return outputs.squeeze(2).squeeze(2).transpose(0, 1)


class LayerByLayer(Example):
    """Clean: a class for each layer, eight convolutions, W as [10, 16, 8, 16], labels as one-hot rows, a dict as output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, kernel_size=5)
        self.primary = PrimaryLayer()
        self.digits = DigitLayer()
        self.decoder = decoder()

    def forward(self, x: Tensor, one_hot: Tensor) -> dict[str, Tensor]:
        v = self.digits(self.primary(F.relu(self.conv(x), inplace=True)))
        masked = (v * one_hot[:, :, None]).reshape(len(x), -1)
        return {"probabilities": self.scores(v), "images": self.decoder(masked)}

    def scores(self, v: Tensor) -> Tensor:
        return (v**2).sum(-1) ** 0.5


class SoftmaxOverInputs(LayerByLayer):
    """The softmax's axis is that of the capsules."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"softmax": "over the inputs"}

    def __init__(self) -> None:
        super().__init__()
        self.digits.softmax_axis = 2


class OnePassMore(LayerByLayer):
    """One routing pass too many, and a softmax over the lengths."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"iterations": "4", "output": "softmax of the lengths"}

    def __init__(self) -> None:
        super().__init__()
        self.digits.passes = 4

    def scores(self, v: Tensor) -> Tensor:
        return F.softmax(v.norm(dim=-1), dim=-1)
