"""Capsule networks as people write them, small: 12×12 images, 16 channels, 4 types of 8 at 2×2 places (16 capsules), 10 classes of 16.

12 − 5 + 1 = 8; ⌊(8 − 5)/2⌋ + 1 = 2. Each class says in `DEVIATIONS` which stages differ from the paper. Nothing of capsaudit is used.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def squash(s: Tensor, dim: int = -1, eps: float = 0.0) -> Tensor:
    n2 = (s**2).sum(dim=dim, keepdim=True)
    return n2 / (1 + n2) * s / torch.sqrt(n2 + eps)


def decoder() -> nn.Sequential:
    layers = [nn.Linear(160, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 144), nn.Sigmoid()]
    return nn.Sequential(*layers)


class Example(nn.Module):
    """`DEVIATIONS`: what it computes at the stages that differ."""

    DEVIATIONS: ClassVar[dict[str, str]] = {}


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


class FourConvolutions(Example):
    """Clean: four convolutions of eight channels, each squashed by itself, W as [16, 8, 160], `.data` in the loop, no decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 5)
        self.types = nn.ModuleList([nn.Conv2d(16, 8, 5, 2) for _ in range(4)])
        self.weight = nn.Parameter(torch.randn(16, 8, 160))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv(x).relu_()
        u = torch.cat([squash(conv(h).flatten(2).permute(0, 2, 1)) for conv in self.types], dim=1)
        hat = torch.einsum("bnd,ndk->bnk", u, self.weight).view(-1, 16, 10, 16)
        return self.route(hat)

    def route(self, hat: Tensor) -> Tensor:
        b = hat.data.new_zeros(len(hat), 16, 10)
        for _ in range(2):
            v = squash(torch.einsum("bij,bije->bje", b.softmax(-1), hat.data))
            b += torch.einsum("bije,bje->bij", hat.data, v)
        lengths: Tensor = squash(torch.einsum("bij,bije->bje", b.softmax(-1), hat)).norm(dim=-1)
        return lengths


class MeanAgreement(FourConvolutions):
    """Logits without a batch axis: the agreement is averaged over the batch."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"agreement": "added, averaged over the batch"}

    def route(self, hat: Tensor) -> Tensor:
        b = torch.zeros(16, 10, 1)
        for i in range(3):
            v = squash((F.softmax(b, dim=1) * hat).sum(1, keepdim=True))
            if i < 2:
                b = b + (hat * v).sum(-1, keepdim=True).mean(dim=0)
        lengths: Tensor = v.squeeze(1).norm(dim=-1)
        return lengths


class Replacing(FourConvolutions):
    """The logits are the last agreement alone, and squared lengths are returned."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"agreement": "replaces the logits", "output": "squared lengths"}

    def route(self, hat: Tensor) -> Tensor:
        b = torch.zeros(len(hat), 16, 10)
        for _ in range(3):
            v = squash((b.softmax(2)[..., None] * hat).sum(1))
            b = (hat * v[:, None]).sum(-1)
        return (v * v).sum(-1)


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


class ElementByElement(FourConvolutions):
    """The class squash is over a trailing axis of one."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"digit_caps.squash": "eq. 1, element by element"}

    def route(self, hat: Tensor) -> Tensor:
        hat, b = hat.unsqueeze(-1), torch.zeros(1, 16, 10, 1, 1)
        for _ in range(3):
            v = squash((F.softmax(b, dim=2) * hat).sum(dim=1, keepdim=True), dim=-1)
            b = b + (hat * v).sum(3, keepdim=True)
        lengths: Tensor = v.squeeze().norm(dim=-1)
        return lengths


class UnknownSquash(FourConvolutions):
    """A class squash that nobody has listed: tanh of the length."""

    def route(self, hat: Tensor) -> Tensor:
        b = torch.zeros(len(hat), 16, 10)
        for _ in range(3):
            s = (b.softmax(2)[..., None] * hat).sum(1)
            v = s / s.norm(dim=-1, keepdim=True) * torch.tanh(s.norm(dim=-1, keepdim=True))
            b = b + (hat * v[:, None]).sum(-1)
        lengths: Tensor = v.norm(dim=-1)
        return lengths


class UnknownScores(BareView):
    """Scores that nobody has listed: cubes of the lengths."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = squash(self.primary(F.relu(self.conv1(x))).permute(0, 2, 3, 1).reshape(len(x), 16, 8))
        v = self.routed((self.W @ u[:, :, None, :, None]).squeeze(-1))
        chosen = v.norm(dim=-1).argmax(1) if y is None else y
        return v.norm(dim=-1) ** 3, self.decoder((v * F.one_hot(chosen, 10)[..., None]).flatten(1))


CLEAN: tuple[type[Example], ...] = (OneForward, LayerByLayer, FourConvolutions)
DEVIATING: tuple[type[Example], ...] = (
    SoftmaxOverInputs,
    OnePassMore,
    MeanAgreement,
    Replacing,
    BareView,
    SquashOverCapsules,
    Scrambled,
    OtherActivations,
    ElementByElement,
)
