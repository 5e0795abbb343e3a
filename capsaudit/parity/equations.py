"""Equations of capsule networks that several families share, and tables of what a stage may compute in any of them.

A table maps what a stage may compute, as it is shown, to a function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Squash = Callable[[Tensor, int], Tensor]
"""Of vectors along an axis."""

_TINY = 1e-30
"""Keeps a zero vector from being divided by zero; far below any length that matters."""


def squash(s: Tensor, axis: int, softening: float = 1.0) -> Tensor:
    """Equation 1, |s|²/(1 + |s|²) · s/|s|, over an axis. `softening` stands for the 1.

    >>> squash(torch.tensor([3.0, 4.0]), -1) * 26
    tensor([15., 20.])
    """
    length: Tensor = s.norm(dim=axis, keepdim=True)
    return s * length / (softening + length**2)


def exponential_squash(s: Tensor, axis: int) -> Tensor:
    """(1 − e^−|s|) · s/|s|, as in Efficient-CapsNet.

    >>> round(exponential_squash(torch.tensor([3.0, 4.0]), -1).norm().item(), 4)  # 1 − e⁻⁵
    0.9933
    """
    length: Tensor = s.norm(dim=axis, keepdim=True)
    return s * (1 - torch.exp(-length)) / (length + _TINY)


PIXELS = "neighbouring pixels of one channel"

LAYOUTS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "channels of one place": lambda grid, d: grid.unflatten(0, (-1, d)).movedim(1, -1).reshape(-1, d),
    "channels of one place, taken at equal distances": lambda grid, d: (
        grid.unflatten(0, (d, -1)).movedim(0, -1).reshape(-1, d)
    ),
    PIXELS: lambda grid, d: grid.reshape(-1, d),
    "values at equal distances in channels-last memory": lambda grid, d: grid.movedim(0, -1).reshape(d, -1).T,
}
"""How the channels [channels, height, width] of one image are cut into capsules [capsules, d]. Both of the first two are the paper's: the
order in which a convolution has its channels means nothing.
"""

PLACES = tuple(LAYOUTS)[:2]
"""The layouts that are the paper's, but for the order of channels."""

ONE_HOT = "one-hot of the longest"
"""Most capsules have the same: that it is returned does not show which they are."""

OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "lengths": lambda capsules: capsules.norm(dim=-1),
    "squared lengths": lambda capsules: (capsules**2).sum(-1),
    "softmax of the lengths": lambda capsules: capsules.norm(dim=-1).softmax(-1),
    "softmax of the squared lengths": lambda capsules: (capsules**2).sum(-1).softmax(-1),
    "log softmax of the lengths": lambda capsules: capsules.norm(dim=-1).log_softmax(-1),
    ONE_HOT: lambda capsules: F.one_hot(capsules.norm(dim=-1).argmax(-1), capsules.shape[1]).to(capsules),
}
"""The scores of the classes, of the class capsules [batch, classes, dimension]."""


VOTES = "û = W u"


def votes(capsules: Float[Tensor, "batch i d"], matrices: Float[Tensor, "i j d e"]) -> Float[Tensor, "batch i j e"]:
    """Equation 2, û_j|i = W_ij u_i.

    >>> votes(torch.ones(1, 2, 3), torch.ones(2, 4, 3, 5)).shape
    torch.Size([1, 2, 4, 5])
    """
    return torch.einsum("bid,ijde->bije", capsules, matrices)


def weighted_sum(
    coupling: Float[Tensor, "#batch i j"], predicted: Float[Tensor, "batch i j e"]
) -> Float[Tensor, "batch j e"]:
    """Equation 2, s_j = Σ_i c_ij û_j|i.

    >>> weighted_sum(torch.full((1, 2, 4), 0.25), torch.ones(1, 2, 4, 5))[0, 0, 0]
    tensor(0.5000)
    """
    return torch.einsum("bij,bije->bje", coupling, predicted)


def squashes_of(
    classes: int, squashes: Mapping[str, Squash], usual: Sequence[str]
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Squashes of the class capsules [batch, class, dimension]; the usual ones also over a wrong axis.

    >>> list(squashes_of(10, {"eq. 1": squash}, ["eq. 1"]))
    ['eq. 1', 'eq. 1, over the 10 classes', 'eq. 1, element by element']
    """
    found: dict[str, Callable[[Tensor], Tensor]] = {name: partial(_over, of, -1) for name, of in squashes.items()}
    for name in usual:
        found[f"{name}, over the {classes} classes"] = partial(_over, squashes[name], 1)
        found[f"{name}, element by element"] = partial(_each, squashes[name])
    return found


def _over(function: Squash, axis: int, s: Tensor) -> Tensor:
    return function(s, axis)


def _each(function: Squash, s: Tensor) -> Tensor:
    return function(s.unsqueeze(-1), -1).squeeze(-1)
