"""Four convolutions of eight channels, W as [16, 8, 160], the routing a method of its own, and no decoder."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example, squash


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


class UnknownAgreement(FourConvolutions):
    """An agreement that nobody has listed; `kind` says which."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def route(self, hat: Tensor) -> Tensor:
        b = torch.zeros(len(hat), 16, 10)
        for _ in range(3):
            v = squash((b.softmax(2)[..., None] * hat).sum(1))
            b = b + self.agreed(hat, v[:, None])
        lengths: Tensor = v.norm(dim=-1)
        return lengths

    def agreed(self, hat: Tensor, v: Tensor) -> Tensor:
        if self.kind == "squared distance":
            return -((hat - v) ** 2).sum(-1)
        product = (hat * v).sum(-1)
        return {"a quarter": product / 4, "negative": -product, "tanh": product.tanh()}[self.kind]
