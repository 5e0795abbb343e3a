"""One convolution for all primary capsules, W as [1, 16, 10, 16, 8], and everything in one forward."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, decoder, squash


class OneForward(Example):
    """Clean: one convolution, W as [1, 16, 10, 16, 8], everything in one forward; labels as indices."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5)
        self.primary = nn.Conv2d(16, 32, 5, stride=2)
        self.W = nn.Parameter(0.01 * torch.randn(1, 16, 10, 16, 8))
        self.decoder = decoder()

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = self.primary(F.relu(self.conv1(x)))
        u = squash(u.permute(0, 2, 3, 1).reshape(len(x), 16, 8), eps=1e-8)
        u_hat = (self.W @ u[:, :, None, :, None]).squeeze(-1)
        b = torch.zeros(len(x), 16, 10, 1)
        for i in range(3):
            c = F.softmax(b, dim=2)
            v = squash((c * u_hat).sum(1, keepdim=True))
            if i < 2:
                b = b + (u_hat * v).sum(-1, keepdim=True)
        v = v.squeeze(1)
        lengths = v.norm(dim=-1)
        y = lengths.argmax(1) if y is None else y
        return lengths, self.decoder((v * F.one_hot(y, 10).unsqueeze(-1)).flatten(1))


class BareView(OneForward):
    """The channels-first memory is viewed as capsules, so that one is 8 neighbouring pixels; the decoder is given the prediction."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "primary_caps.layout": "neighbouring pixels of one channel",
        "decoder": "masked by the prediction",
    }

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = squash(self.primary(F.relu(self.conv1(x))).view(len(x), 16, 8), eps=1e-8)
        v = self.routed(torch.matmul(self.W, u[:, :, None, :, None]).squeeze(-1))
        lengths, chosen = v.norm(dim=-1), y
        chosen = lengths.argmax(1)
        return lengths, self.decoder((v * F.one_hot(chosen, 10)[..., None]).flatten(1))

    def routed(self, u_hat: Tensor) -> Tensor:
        b = u_hat.new_zeros(u_hat.shape[:3])
        for _ in range(3):
            v = squash(torch.einsum("bij,bije->bje", torch.softmax(b, 2), u_hat))
            b = b + torch.einsum("bije,bje->bij", u_hat, v)
        return v


class SquashOverCapsules(BareView):
    """The primary squash is over the axis of the capsules."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"primary_caps.squash": "eq. 1, over the 16 capsules"}

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = self.primary(F.relu(self.conv1(x))).view(len(x), 8, 16)
        v = self.routed((self.W @ squash(u, dim=2).transpose(1, 2)[:, :, None, :, None]).squeeze(-1))
        assert y is not None
        return v.norm(dim=-1), self.decoder(v.mul(F.one_hot(y, 10)[..., None]).view(len(x), -1))


class Scrambled(BareView):
    """Squashed over the channels of a place, then viewed as other capsules; the decoder is given all class capsules."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "primary_caps.layout": "neighbouring pixels of one channel",
        "primary_caps.squash": "eq. 1, over channels of one place, taken at equal distances",
        "decoder": "not masked",
    }

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = squash(self.primary(F.relu(self.conv1(x))).view(len(x), 8, 16), dim=1).view(len(x), 16, 8)
        v = self.routed((self.W @ u[:, :, None, :, None]).squeeze(-1))
        del y
        return v.norm(dim=-1), self.decoder(v.flatten(1))


class OtherActivations(BareView):
    """No ReLU behind conv1, and a class squash with 0.5 in its denominator."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "conv1": "no activation",
        "digit_caps.squash": "|s|²/(0.5 + |s|²) · s/|s|",
    }

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = squash(self.primary(self.conv1(x)).permute(0, 2, 3, 1).reshape(len(x), 16, 8))
        hat = (self.W @ u[:, :, None, :, None]).squeeze(-1)
        b = hat.new_zeros(hat.shape[:3])
        for _ in range(3):
            s = torch.einsum("bij,bije->bje", torch.softmax(b, 2), hat)
            v = s * s.norm(dim=-1, keepdim=True) / (0.5 + (s * s).sum(-1, keepdim=True))
            b = b + torch.einsum("bije,bje->bij", hat, v)
        assert y is not None
        return v.norm(dim=-1), self.decoder((v * F.one_hot(y, 10)[..., None]).flatten(1))


class UnknownScores(BareView):
    """Scores that nobody has listed: cubes of the lengths."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = squash(self.primary(F.relu(self.conv1(x))).permute(0, 2, 3, 1).reshape(len(x), 16, 8))
        v = self.routed((self.W @ u[:, :, None, :, None]).squeeze(-1))
        chosen = v.norm(dim=-1).argmax(1) if y is None else y
        return v.norm(dim=-1) ** 3, self.decoder((v * F.one_hot(chosen, 10)[..., None]).flatten(1))
