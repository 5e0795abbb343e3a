"""`F.conv2d` and `F.linear` of bare parameters, sizes written out, W as [16, 10, 8, 16], routing as a while loop."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.parity.networks.base import Example


def squashed(vector: Tensor) -> Tensor:
    """Two lengths, each with its ε."""
    length = torch.sqrt((vector * vector).sum(-1, keepdim=True) + 1e-9)
    return (vector / length) * (length.pow(2) / (1.0 + length.pow(2) + 1e-9))


class Bare(nn.Module):
    """A weight and a bias, and no forward."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.w, self.b = nn.Parameter(0.1 * torch.randn(shape)), nn.Parameter(torch.zeros(shape[0]))


class BareParameters(Example):
    """Clean: labels as indices, and only the lengths without them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Bare(16, 1, 5, 5), Bare(32, 16, 5, 5)
        self.transform = nn.Parameter(0.1 * torch.randn(16, 10, 8, 16))
        self.fc1, self.fc2, self.fc3 = Bare(32, 160), Bare(64, 32), Bare(144, 64)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, ...]:
        maps = F.conv2d(images, self.first.w, self.first.b, stride=1, padding=0)
        v = self.route(self.primary(self.activated(maps)))
        lengths = torch.linalg.vector_norm(v, dim=2)
        if labels is None:
            return (lengths,)
        return lengths, self.reconstruct(v, labels)

    def activated(self, maps: Tensor) -> Tensor:
        return torch.clamp_min(maps, 0)

    def primary(self, maps: Tensor) -> Tensor:
        caps = F.conv2d(maps, self.second.w, self.second.b, stride=2, padding=0)
        caps = caps.reshape(-1, 4, 8, 2, 2).permute(0, 1, 3, 4, 2).reshape(-1, 16, 8)
        return squashed(caps)

    def route(self, u: Tensor) -> Tensor:
        hat = torch.einsum("bnd,ncdo->bnco", u, self.transform)
        logits, left = torch.zeros(u.shape[0], 16, 10), 3
        while left > 0:
            v = squashed(torch.sum(torch.softmax(logits, dim=-1).unsqueeze(-1) * hat, dim=1))
            logits = logits + torch.matmul(hat, v[:, None].transpose(2, 3)).diagonal(dim1=2, dim2=3)
            left -= 1
        return v

    def reconstruct(self, v: Tensor, labels: Tensor) -> Tensor:
        kept = torch.zeros_like(v)
        kept[torch.arange(len(v)), labels] = v[torch.arange(len(v)), labels]
        h = F.relu(F.linear(kept.view(-1, 160), self.fc1.w, self.fc1.b))
        h = F.relu(F.linear(h, self.fc2.w, self.fc2.b))
        return torch.sigmoid(F.linear(h, self.fc3.w, self.fc3.b))


class LeakyAndUnmasked(BareParameters):
    """A leaky ReLU behind conv1, and a decoder that is given all class capsules."""

    DEVIATIONS: ClassVar[dict[str, str]] = {"conv1": "leaky ReLU", "decoder": "not masked"}

    def activated(self, maps: Tensor) -> Tensor:
        return F.leaky_relu(maps)

    def reconstruct(self, v: Tensor, labels: Tensor) -> Tensor:
        h = F.linear(v.view(len(labels), 160), self.fc1.w, self.fc1.b).relu()
        h = F.linear(h, self.fc2.w, self.fc2.b).relu()
        return F.linear(h, self.fc3.w, self.fc3.b).sigmoid()


class ReluBeforeSquash(BareParameters):
    """The second convolution has the ReLU of the first, and the class capsules are squashed over the classes."""

    DEVIATIONS: ClassVar[dict[str, str]] = {
        "primary_caps.squash": "eq. 1 after a ReLU",
        "digit_caps.squash": "eq. 1, over the 10 classes",
    }

    def primary(self, maps: Tensor) -> Tensor:
        caps = F.relu(F.conv2d(maps, self.second.w, self.second.b, stride=2))
        return squashed(caps.reshape(-1, 4, 8, 2, 2).permute(0, 1, 3, 4, 2).reshape(-1, 16, 8))

    def route(self, u: Tensor) -> Tensor:
        hat = torch.einsum("bnd,ncdo->bnco", u, self.transform)
        logits, done = torch.zeros(u.shape[0], 16, 10), 0
        while done < 3:
            s = torch.sum(torch.softmax(logits, dim=-1).unsqueeze(-1) * hat, dim=1)
            v = squashed(s.transpose(1, 2)).transpose(1, 2)
            logits = logits + (hat * v[:, None]).sum(dim=3)
            done += 1
        return v


class RootParameters(BareParameters):
    """The same, but for all parameters being the root's own."""

    def __init__(self) -> None:
        super().__init__()
        for name, part in list(self.named_children()):
            delattr(self, name)
            setattr(self, name, SimpleNamespace(**dict(part.named_parameters())))
            for own, tensor in part.named_parameters():
                self.register_parameter(f"{name}_{own}", tensor)
