"""Efficient-CapsNets as people write them, small: 20×20 images, 10 classes of 16, capsules of 8.

20 − 5 + 1 = 16; 16 − 3 + 1 = 14; 14 − 3 + 1 = 12; ⌊(12 − 3)/2⌋ + 1 = 5. A depthwise 5×5 over 64 channels gives one place and 8 capsules, a
depthwise 4×4 over 32 channels gives 2×2 places and 16 capsules. Each class says in `DEVIATIONS` which stages differ from the authors' network.
Nothing of capsaudit is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def squash(s: Tensor, dim: int = -1, eps: float = 1e-20) -> Tensor:
    n = s.norm(dim=dim, keepdim=True)
    squashed: Tensor = (1 - 1 / (torch.exp(n) + eps)) * (s / (n + eps))
    return squashed


def sabour(s: Tensor) -> Tensor:
    n2 = (s**2).sum(-1, keepdim=True)
    return n2 / (1 + n2) * s / torch.sqrt(n2)


class Example(nn.Module):
    """`DEVIATIONS`: what it computes at the stages that differ."""

    DEVIATIONS: ClassVar[dict[str, str]] = {}


class OneForward(Example):
    """Clean: all convolutions in one Sequential, W as [10, 8, 8, 16], einsum, labels as indices, a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *self.stage(nn.Conv2d(1, 8, 5), 8),
            *self.stage(nn.Conv2d(8, 16, 3), 16),
            *self.stage(nn.Conv2d(16, 16, 3), 16),
            *self.stage(nn.Conv2d(16, 64, 3, stride=2), 64),
        )
        self.primary = nn.Conv2d(64, 64, 5, groups=64)
        self.W = nn.Parameter(0.1 * torch.randn(10, 8, 8, 16))
        self.b = nn.Parameter(torch.zeros(10, 8, 1))
        self.decoder = nn.Sequential(
            *(nn.Linear(160, 24), nn.ReLU(), nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 400), nn.Sigmoid())
        )

    def stage(self, conv: nn.Module, channels: int) -> Sequence[nn.Module]:
        return conv, nn.ReLU(inplace=True), nn.BatchNorm2d(channels)

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = self.capsules(self.primary(self.features(x)))
        v = self.route(torch.einsum("bid,jide->bjie", u, self.W))
        scores = self.scores(v)
        y = scores.argmax(1) if y is None else y
        return scores, self.decoder(self.chosen(v, y))

    def capsules(self, z: Tensor) -> Tensor:
        return squash(z.view(len(z), 8, 8))

    def route(self, hat: Tensor) -> Tensor:
        c = torch.einsum("bjie,bjke->bji", hat, hat)[..., None] / math.sqrt(16)
        c = torch.softmax(c, dim=1) + self.b
        return squash((c * hat).sum(dim=-2))

    def scores(self, v: Tensor) -> Tensor:
        lengths: Tensor = v.norm(dim=-1)
        return lengths

    def chosen(self, v: Tensor, y: Tensor) -> Tensor:
        return (v * F.one_hot(y, 10).unsqueeze(-1)).flatten(1)


class Features(nn.Module):
    """Functions in forward; the normalisation has the ε of Keras."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8, eps=1e-3)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16, eps=1e-3)
        self.conv3, self.bn3 = nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16, eps=1e-3)
        self.conv4, self.bn4 = nn.Conv2d(16, 32, 3, stride=2), nn.BatchNorm2d(32, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(F.relu(self.conv1(x)))
        x = self.bn2(F.relu(self.conv2(x)))
        x = self.bn3(F.relu(self.conv3(x)))
        return self.last(self.conv4(x))

    def last(self, x: Tensor) -> Tensor:
        return self.bn4(F.relu(x))  # type: ignore[no-any-return]


class PrimaryCaps(nn.Module):
    """The channels of one place, of a grid of four places, taken at equal distances."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(32, 32, kernel_size=4, groups=32, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        z = self.conv(x)
        return squash(z.view(len(z), 8, 4, 2, 2).permute(0, 3, 4, 2, 1).reshape(len(z), 16, 8))


class DigitCaps(nn.Module):
    """W as [16, 10, 8, 16] and log priors as [16, 10]: the capsule comes first. The matrix A itself is computed."""

    softmax_axis = 2
    dimension = 16

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 10, 8, 16))
        self.prior = nn.Parameter(torch.zeros(16, 10))

    def forward(self, u: Tensor) -> Tensor:
        hat = (u[:, :, None, None, :] @ self.weight).squeeze(-2)
        by_class = hat.transpose(1, 2)
        attention = by_class @ by_class.transpose(-1, -2) / self.dimension**0.5
        c = self.coupling(attention.sum(-1).transpose(1, 2)).unsqueeze(-1)
        return self.squash((hat * c).sum(1))

    def coupling(self, logits: Tensor) -> Tensor:
        return F.softmax(logits, dim=self.softmax_axis) + self.prior

    def squash(self, s: Tensor) -> Tensor:
        return squash(s)


class LayerByLayer(Example):
    """Clean: a class for each layer, labels as one-hot rows, a dict as output."""

    def __init__(self) -> None:
        super().__init__()
        self.features, self.primary, self.digits = Features(), PrimaryCaps(), DigitCaps()
        self.fc1, self.fc2, self.fc3 = nn.Linear(160, 24), nn.Linear(24, 48), nn.Linear(48, 400)

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        v = self.digits(self.primary(self.features(x)))
        h = F.relu(self.fc1(self.masked(v, labels).flatten(1)))
        image = torch.sigmoid(self.fc3(F.relu(self.fc2(h))))
        return {"probabilities": torch.sqrt((v**2).sum(-1)), "image": image.view(len(x), 1, 20, 20)}

    def masked(self, v: Tensor, labels: Tensor) -> Tensor:
        return v * labels[:, :, None]


class Transposed(Example):
    """Clean: W as [10, 8, 16, 8], so that û = W u; log priors as [1, 10, 8, 1]; lengths alone, and no decoder."""

    def __init__(self) -> None:
        super().__init__()
        convs = [nn.Conv2d(1, 8, 5), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 16, 3), nn.Conv2d(16, 64, 3, 2)]
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList([self.norm(conv.out_channels) for conv in convs])
        self.depthwise = nn.Conv2d(64, 64, 5, groups=64)
        self.W = nn.Parameter(torch.randn(10, 8, 16, 8))
        self.B = nn.Parameter(torch.zeros(1, 10, 8, 1))

    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.step(conv(x), norm)
        u = self.depthwise(x).flatten(1).unflatten(1, (8, 8)).transpose(1, 2)
        u = squash(u).unsqueeze(1).unsqueeze(-1)
        hat = torch.matmul(self.W, u).squeeze(-1)
        agreement = (hat.unsqueeze(2) * hat.unsqueeze(3)).sum(-1).sum(-1, keepdim=True)
        return self.end((self.coupling(agreement) * hat).sum(2))

    def step(self, x: Tensor, norm: nn.Module) -> Tensor:
        return norm(x.relu())  # type: ignore[no-any-return]

    def coupling(self, agreement: Tensor) -> Tensor:
        return (agreement / 4).softmax(1) + self.B

    def end(self, s: Tensor) -> Tensor:
        made: Tensor = squash(s).norm(dim=-1)
        return made


class NormBeforeReLU(OneForward):
    """As most networks have it: normalisation, then ReLU; and the scale is that of u."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"conv1": "ReLU, BatchNorm before it", "agreement": "divided by √8"}

    def stage(self, conv: nn.Module, channels: int) -> Sequence[nn.Module]:
        return conv, nn.BatchNorm2d(channels), nn.ReLU()

    def route(self, hat: Tensor) -> Tensor:
        c = torch.einsum("bjie,bjke->bji", hat, hat)[..., None] / math.sqrt(8)
        return squash(((torch.softmax(c, dim=1) + self.b) * hat).sum(dim=-2))


class LeakyReLU(OneForward):
    """Another activation, and Sabour's squash of the primary capsules."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "conv1": "leaky ReLU, BatchNorm behind it",
        "primary_caps.squash": "|s|²/(1 + |s|²) · s/|s|",
    }

    def stage(self, conv: nn.Module, channels: int) -> Sequence[nn.Module]:
        return conv, nn.LeakyReLU(), nn.BatchNorm2d(channels)

    def capsules(self, z: Tensor) -> Tensor:
        return sabour(z.view(len(z), 8, 8))


class UnscaledAgreement(OneForward):
    """No scale, no squash of the primary capsules, and squared lengths."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "primary_caps.squash": "no squash",
        "agreement": "not divided",
        "output": "squared lengths",
    }

    def capsules(self, z: Tensor) -> Tensor:
        return z.view(len(z), 8, 8)

    def route(self, hat: Tensor) -> Tensor:
        c = (hat * hat.sum(2, keepdim=True)).sum(-1, keepdim=True).softmax(1) + self.b
        return squash((c * hat).sum(2))

    def scores(self, v: Tensor) -> Tensor:
        return v.pow(2).sum(-1)


class PriorsBeforeSoftmax(OneForward):
    """The log priors are added before the softmax, and the decoder is always given the prediction."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "logits": "stored, added before the softmax",
        "decoder": "masked by the prediction",
    }

    def route(self, hat: Tensor) -> Tensor:
        c = torch.softmax((hat @ hat.mT).sum(-1, keepdim=True) / 4 + self.b, dim=1)
        return squash((c * hat).sum(2))

    def chosen(self, v: Tensor, y: Tensor) -> Tensor:
        y = v.norm(dim=-1).argmax(1)
        return super().chosen(v, y)


class SquashOverCapsules(OneForward):
    """The squash of the primary capsules is over their axis, the softmax has an axis of one, and the decoder is given all capsules."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "primary_caps.squash": "(1 − e^−|s|) · s/|s|, over the 8 capsules",
        "softmax": "over the inputs",
        "decoder": "not masked",
    }

    def capsules(self, z: Tensor) -> Tensor:
        return squash(z.view(len(z), 8, 8), dim=1)

    def route(self, hat: Tensor) -> Tensor:
        c = (hat * hat.sum(2, keepdim=True)).sum(-1, keepdim=True) / 16**0.5
        return squash(((torch.softmax(c, dim=-2) + self.b) * hat).sum(2))

    def chosen(self, v: Tensor, y: Tensor) -> Tensor:
        del y
        return v.flatten(1)


class SoftmaxOverInputs(LayerByLayer):
    """The softmax's axis is that of the capsules, and its scale is left out with the prior."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "agreement": "not divided",
        "softmax": "over the inputs",
        "logits": "not used",
    }

    def __init__(self) -> None:
        super().__init__()
        self.digits.dimension, self.digits.softmax_axis = 1, 1
        self.digits.coupling = lambda logits: F.softmax(logits, dim=1)  # type: ignore[method-assign]


class LastLayerWithoutNorm(LayerByLayer):
    """One normalisation was forgotten, and the prediction chooses in training as well."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "conv1": "ReLU, no normalisation in conv4",
        "decoder": "masked by the prediction",
    }

    class Forgetful(Features):
        def last(self, x: Tensor) -> Tensor:
            return F.relu(x)

    def __init__(self) -> None:
        super().__init__()
        self.features = self.Forgetful()

    def masked(self, v: Tensor, labels: Tensor) -> Tensor:
        del labels
        return v * F.one_hot(v.norm(dim=-1).argmax(-1), 10)[:, :, None]


class BareView(LayerByLayer):
    """The channels-first memory is viewed as capsules, so that one is four pixels of two channels; Sabour's squash of the classes."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "primary_caps.layout": "neighbouring pixels of one channel",
        "digit_caps.squash": "|s|²/(1 + |s|²) · s/|s|",
    }

    class Viewed(PrimaryCaps):
        def forward(self, x: Tensor) -> Tensor:
            return squash(self.conv(x).view(len(x), -1, 8))

    class Digits(DigitCaps):
        def squash(self, s: Tensor) -> Tensor:
            return sabour(s)

    def __init__(self) -> None:
        super().__init__()
        self.primary, self.digits = self.Viewed(), self.Digits()


class WithoutActivation(Transposed):
    """No activation at all, class capsules that are not squashed, and a softmax of their lengths."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "conv1": "no activation, BatchNorm",
        "digit_caps.squash": "no squash",
        "output": "softmax of the lengths",
    }

    def step(self, x: Tensor, norm: nn.Module) -> Tensor:
        return norm(x)  # type: ignore[no-any-return]

    def end(self, s: Tensor) -> Tensor:
        lengths: Tensor = s.norm(dim=-1).softmax(-1)
        return lengths


class NormsNotUsed(Transposed):
    """The normalisations are built, and not called; the class squash is over the classes."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "conv1": "ELU, no normalisation",
        "digit_caps.squash": "(1 − e^−|s|) · s/|s|, over the 10 classes",
    }

    def step(self, x: Tensor, norm: nn.Module) -> Tensor:
        del norm
        return F.elu(x)

    def end(self, s: Tensor) -> Tensor:
        lengths: Tensor = squash(s, dim=1).norm(dim=-1)
        return lengths


class EachImage(Transposed):
    """InstanceNorm, as the authors have it for another data set; the mean over the capsules in place of the sum."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"conv1": "ReLU, InstanceNorm behind it", "agreement": "divided by 8·√16"}

    def norm(self, channels: int) -> nn.Module:
        return nn.InstanceNorm2d(channels, affine=True)

    def coupling(self, agreement: Tensor) -> Tensor:
        return (agreement / 8 / 4).softmax(1) + self.B


class OfTheBatch(Transposed):
    """Normalisations without running statistics, and a softmax over a trailing axis of one: the agreement then means nothing."""

    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels, track_running_stats=False)

    def coupling(self, agreement: Tensor) -> Tensor:
        return agreement.softmax(-1) + self.B


class UnknownActivation(Transposed):
    """An activation that nobody has listed."""

    def step(self, x: Tensor, norm: nn.Module) -> Tensor:
        return norm(F.softplus(x))  # type: ignore[no-any-return]


class UnknownCoupling(Transposed):
    """Coefficients that nobody has listed: sigmoids."""

    def coupling(self, agreement: Tensor) -> Tensor:
        return agreement.sigmoid() + self.B


class UnknownCouplingOfSums(OneForward):
    """The same, of the product with the sum of all votes: that sum is a plain one, as if all coefficients were one."""

    def route(self, hat: Tensor) -> Tensor:
        c = (hat * hat.sum(2, keepdim=True)).sum(-1, keepdim=True).sigmoid() + self.b
        return squash((c * hat).sum(2))


class LimitedAgreement(Transposed):
    """Large agreements are cut off: at small weights that makes no difference."""

    def coupling(self, agreement: Tensor) -> Tensor:
        return (agreement / 4).clamp(max=2).softmax(1) + self.B


class UnknownSquash(Transposed):
    """A class squash that nobody has listed: tanh of the length."""

    def end(self, s: Tensor) -> Tensor:
        lengths: Tensor = (s / s.norm(dim=-1, keepdim=True) * s.norm(dim=-1, keepdim=True).tanh()).norm(dim=-1)
        return lengths


CLEAN: tuple[type[Example], ...] = (OneForward, LayerByLayer, Transposed)
DEVIATING: tuple[type[Example], ...] = (
    NormBeforeReLU,
    LeakyReLU,
    UnscaledAgreement,
    PriorsBeforeSoftmax,
    SquashOverCapsules,
    SoftmaxOverInputs,
    LastLayerWithoutNorm,
    BareView,
    WithoutActivation,
    NormsNotUsed,
    EachImage,
)
