"""The two capsule layers: PrimaryCaps and DigitCaps (Sabour et al. 2017, section 4)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from capsaudit.families import capsnet
from capsaudit.models.convolution import Convolution
from capsaudit.models.kernels.routing import Routing, factored_routing
from capsaudit.models.routing import route, squash


class PrimaryCaps(Convolution):
    """A convolution whose channels are cut into capsules: channels 0 to 7 of one place are the first capsule of that place."""

    def __init__(self, primary: capsnet.PrimaryCaps, *, channels_in: int, device: str) -> None:
        super().__init__(primary.convolution, channels_in=channels_in, device=device)
        self.dimension = primary.dimension

    def forward(self, features: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch capsule dim"]:
        """Capsules in the order of the grid's rows, its columns, the types; in memory, dimension by dimension."""
        channels = super().forward(features)
        batch, _, height, width = channels.shape
        by_dimension = channels.view(batch, -1, self.dimension, height, width).permute(0, 2, 3, 4, 1)
        return squash(by_dimension.reshape(batch, self.dimension, -1), dim=1).transpose(1, 2)


class DigitCaps(nn.Module):
    """Capsules for classes: predictions û_j|i = u_i W_ij (eq. 2), then routing.

    `weight` is [matrices, classes, dim in, dim out], without its first axis where all primary capsules share one W a class. In
    memory the matrices are innermost, which is how the kernels read them.
    """

    weight: nn.Parameter

    def __init__(self, digit: capsnet.DigitCaps, *, types: int, capsules: int, dimension_in: int, device: str) -> None:
        super().__init__()
        self.routing = Routing(digit.iterations, digit.none_of_the_above, last_only=digit.gradient == "last")
        self.shares_all = digit.shared_w == "all"
        matrices = {"none": capsules, "grid": types, "all": 1}[digit.shared_w]
        pairs = (capsules, digit.classes)
        weight = torch.empty(digit.classes, digit.dimension, dimension_in, matrices, device=device).permute(3, 0, 2, 1)
        self.weight = nn.Parameter(weight[0] if self.shares_all else weight)
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
            nn.init.constant_(self.coupling, 1 / (self.coupling.shape[1] + self.routing.none_of_the_above))

    def forward(self, capsules: Float[Tensor, "batch capsule dim"]) -> Float[Tensor, "batch cls dim2"]:
        """Class capsules, whose lengths are the probabilities of the classes."""
        if capsules.device.type == "cpu":
            return factored_routing(capsules, self.matrices, self.logits, self.coupling, self.bias, self.routing)
        return self.plain(capsules)

    def plain(self, capsules: Float[Tensor, "batch capsule dim"]) -> Float[Tensor, "batch cls dim2"]:
        """The same through the predictions û themselves."""
        return route(
            self.votes(capsules),
            iterations=self.routing.iterations,
            prior=self.logits,
            first_coupling=self.coupling,
            bias=self.bias,
            none_of_the_above=self.routing.none_of_the_above,
            last_only=self.routing.last_only,
        )

    @property
    def matrices(self) -> Tensor:
        """W as [matrices, classes, dim in, dim out], also where there is one matrix for all."""
        return self.weight.unsqueeze(0) if self.shares_all else self.weight

    def votes(self, capsules: Float[Tensor, "batch capsule dim"]) -> Float[Tensor, "batch capsule cls dim2"]:
        """Predictions û_j|i; capsules that share a W are `place`s of one `matrix`."""
        grouped = capsules.reshape(len(capsules), -1, len(self.matrices), capsules.shape[2])
        return torch.einsum("bpmd,mcde->bpmce", grouped, self.matrices).flatten(1, 2)


def _parameter(*shape: int, device: str) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape, device=device))
