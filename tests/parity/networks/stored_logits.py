"""Logits as a parameter of zeros that is not trained, as a buffer, or kept from call to call.

5 types at 2×2 places, so that the 20×10 logits are not as many as the 10×16 values of the class capsules.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, decoder, squash


class StoredLogits(Example):
    """Clean, as the variant `frozen-logits` has it: a parameter without a gradient; the agreement by a product of matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.primary = nn.Conv2d(16, 40, 5, stride=2)
        self.W = nn.Parameter(0.1 * torch.randn(1, 20, 10, 16, 8))
        self.decoder = decoder()
        self.store()

    def store(self) -> None:
        self.b: Tensor | None = nn.Parameter(torch.zeros(1, 20, 10, 1), requires_grad=False)

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        x = F.relu(self.conv1(x))
        u = squash(self.primary(x).view(-1, 8, 5, 2, 2).permute(0, 2, 3, 4, 1).flatten(1, 3), eps=1e-10)
        u_hat = torch.matmul(self.W, u[:, :, None, :, None]).squeeze(4)
        v = self.route(u_hat)
        masked = v[torch.arange(len(v)), y].unsqueeze(1) * F.one_hot(y, 10).unsqueeze(2)
        return {"v": v, "scores": (v**2).sum(2).sqrt(), "reconstruction": self.decoder(masked.view(-1, 160))}

    def route(self, u_hat: Tensor) -> Tensor:
        assert self.b is not None
        b = self.b.expand(len(u_hat), -1, -1, -1)
        for i in range(3):
            v = squash((F.softmax(b, dim=2) * u_hat).sum(1), eps=1e-10)
            if i < 2:
                b = b + torch.matmul(u_hat.unsqueeze(3), v[:, None, :, :, None]).squeeze(4)
        return v


class StoredAndReplaced(StoredLogits):
    """Each agreement takes the place of the logits, and the squash has 0.5 in its denominator."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "agreement": "replaces the logits",
        "digit_caps.squash": "|s|²/(0.5 + |s|²) · s/|s|",
    }

    def route(self, u_hat: Tensor) -> Tensor:
        assert self.b is not None
        b = self.b.squeeze(3).repeat(len(u_hat), 1, 1)
        for _ in range(3):
            s = (F.softmax(b, dim=-1)[..., None] * u_hat).sum(1)
            norm: Tensor = s.norm(dim=-1, keepdim=True)
            v = norm / (norm.square() + 0.5) * s
            b = (u_hat @ v[:, None].transpose(2, 3)).diagonal(dim1=2, dim2=3)
        return v


class KeptFromCallToCall(StoredLogits):
    """The logits live as long as the model does."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"logits": "kept from call to call"}
    UNSEEN: ClassVar[frozenset[str]] = frozenset({"gradient"})

    def store(self) -> None:
        self.b = None

    def route(self, u_hat: Tensor) -> Tensor:
        if self.b is None:
            self.b = u_hat.new_zeros(len(u_hat), 20, 10, 1)
        for _ in range(3):
            v: Tensor = squash((F.softmax(self.b, dim=2) * u_hat).sum(1), eps=1e-10)
            self.b = (self.b + (u_hat * v[:, None]).sum(3, keepdim=True)).detach()
        return v
