"""The stages of a capsule network's forward pass: what Sabour et al. 2017 say, and beside it what other implementations compute.

Each table maps what a stage may compute, as it is shown, to a function. The paper's choice comes first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

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

SQUASHES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "eq. 1": squash,
    "no squash": lambda s, _: s,
    "|s|²/(0.5 + |s|²) · s/|s|": partial(squash, softening=0.5),
    "(1 − e^−|s|) · s/|s|": exponential_squash,
    "eq. 1 twice": lambda s, axis: squash(squash(s, axis), axis),
    "eq. 1 after a ReLU": lambda s, axis: squash(F.relu(s), axis),
}

USUAL_SQUASHES = ("eq. 1", "|s|²/(0.5 + |s|²) · s/|s|")
"""Those that are also tried over a wrong axis."""

NONE_ABOVE = "over the classes and none of the above"

SOFTMAXES: dict[str, Callable[[Tensor], Tensor]] = {
    "over the classes": lambda logits: logits.softmax(2),
    "over the inputs": lambda logits: logits.softmax(1),
    NONE_ABOVE: lambda logits: F.pad(logits, (0, 1)).softmax(2)[..., :-1],
    "over the batch": lambda logits: logits.softmax(0),
}
"""Coupling coefficients c (eq. 3) of the logits b [batch, capsules, classes]."""

AGREEMENTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "added, each image by itself": lambda logits, agreement: logits + agreement,
    "added, averaged over the batch": lambda logits, agreement: logits + agreement.mean(0, keepdim=True),
    "added, summed over the batch": lambda logits, agreement: logits + agreement.sum(0, keepdim=True),
    "replaces the logits": lambda _, agreement: agreement,
}
"""The logits of the next iteration, of those of this one and the agreement û · v (procedure 1, line 7)."""

OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "lengths": lambda capsules: capsules.norm(dim=-1),
    "squared lengths": lambda capsules: (capsules**2).sum(-1),
    "softmax of the lengths": lambda capsules: capsules.norm(dim=-1).softmax(-1),
    "softmax of the squared lengths": lambda capsules: (capsules**2).sum(-1).softmax(-1),
    "log softmax of the lengths": lambda capsules: capsules.norm(dim=-1).log_softmax(-1),
    "one-hot of the longest": lambda capsules: F.one_hot(capsules.norm(dim=-1).argmax(-1), capsules.shape[1]).to(
        capsules
    ),
}
"""The scores of the classes, of the class capsules [batch, classes, dimension]."""


def votes(capsules: Tensor, matrices: Tensor) -> Tensor:
    """Equation 2, û_j|i = W_ij u_i, of [batch, i, d] and [i, j, d, e].

    >>> votes(torch.ones(1, 2, 3), torch.ones(2, 4, 3, 5)).shape
    torch.Size([1, 2, 4, 5])
    """
    return torch.einsum("bid,ijde->bije", capsules, matrices)


def weighted_sum(coupling: Tensor, predicted: Tensor) -> Tensor:
    """Equation 2, s_j = Σ_i c_ij û_j|i.

    >>> weighted_sum(torch.full((1, 2, 4), 0.25), torch.ones(1, 2, 4, 5))[0, 0, 0]
    tensor(0.5000)
    """
    return torch.einsum("bij,bije->bje", coupling, predicted)


def agreement(predicted: Tensor, capsules: Tensor) -> Tensor:
    """Procedure 1, line 7: û_j|i · v_j.

    >>> agreement(torch.ones(1, 2, 4, 5), torch.ones(1, 4, 5))[0, 0, 0]
    tensor(5.)
    """
    return torch.einsum("bije,bje->bij", predicted, capsules)
