"""The two capsule layers: PrimaryCaps and DigitCaps (Sabour et al. 2017, section 4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from capsaudit import spec
from capsaudit.models.convolution import Convolution
from capsaudit.models.routing import route, squash


class PrimaryCaps(Convolution):
    """A convolution whose channels are cut into capsules: channels 0 to 7 of one place are the first capsule of that place."""

    def __init__(self, primary: spec.PrimaryCaps, *, channels_in: int, device: str) -> None:
        super().__init__(primary.convolution, channels_in=channels_in, device=device)
        self.dimension = primary.dimension

    def forward(self, features: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch capsule dim"]:
        """Capsules in the order of the grid's rows, its columns, the types."""
        places = super().forward(features).permute(0, 2, 3, 1)
        return squash(places.reshape(len(features), -1, self.dimension))


class DigitCaps(nn.Module):
    """Capsules for classes: predictions û_j|i = u_i W_ij (eq. 2), then routing.

    `weight` is [matrices, classes, dim in, dim out], without its first axis where all primary capsules share one W a class.
    """

    weight: nn.Parameter

    def __init__(self, digit: spec.DigitCaps, *, types: int, capsules: int, dimension_in: int, device: str) -> None:
        super().__init__()
        self.iterations = digit.iterations
        self.none_of_the_above = digit.none_of_the_above
        matrices = {"none": [capsules], "grid": [types], "all": []}[digit.shared_w]
        pairs = torch.Size([capsules, digit.classes])
        self.weight = _parameter(*matrices, digit.classes, dimension_in, digit.dimension, device=device)
        self.bias = _parameter(digit.classes, digit.dimension, device=device) if digit.bias else None
        self.logits = None if digit.logits == "zero" else _parameter(*pairs, device=device)
        self.coupling = _parameter(*pairs, device=device) if digit.coupling == "trainable" else None
        if self.logits is not None:
            self.logits.requires_grad_(digit.logits == "trainable")
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """W normal with the released code's deviation of 0.1, its bias of 0.1, logits of zero and a uniform coupling."""
        if self.weight.is_meta:  # nothing to fill; and random numbers on meta would import hundreds of modules
            return
        nn.init.trunc_normal_(self.weight, std=0.1, a=-0.2, b=0.2)
        if self.bias is not None:
            nn.init.constant_(self.bias, 0.1)
        if self.logits is not None:
            nn.init.zeros_(self.logits)
        if self.coupling is not None:
            nn.init.constant_(self.coupling, 1 / (self.coupling.shape[1] + self.none_of_the_above))

    def forward(self, capsules: Float[Tensor, "batch capsule dim"]) -> Float[Tensor, "batch cls dim2"]:
        """Class capsules, whose lengths are the probabilities of the classes."""
        return route(
            self.votes(capsules),
            iterations=self.iterations,
            prior=self.logits,
            first_coupling=self.coupling,
            bias=self.bias,
            none_of_the_above=self.none_of_the_above,
        )

    def votes(self, capsules: Float[Tensor, "batch capsule dim"]) -> Float[Tensor, "batch capsule cls dim2"]:
        """Predictions û_j|i; capsules that share a W are `place`s of one `matrix`."""
        weight = self.weight if self.weight.dim() == 4 else self.weight.unsqueeze(0)
        grouped = capsules.view(len(capsules), -1, weight.shape[0], capsules.shape[2])
        return torch.einsum("bpmd,mcde->bpmce", grouped, weight).flatten(1, 2)


def _parameter(*shape: int, device: str) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape, device=device))
