"""What a part of a loss is there for: experiments with the loss that the networks are trained with."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from capsaudit.results import Reason
from capsaudit.results.base import reason
from capsaudit.train import losses

_LENGTH = 0.5
"""The length of all ten capsules where their gradients are compared."""

Served = tuple[bool, Reason]
"""Whether a part of the loss serves a purpose, and the numbers that show it."""


def _less_shrinking() -> Served:
    """The gradients that shorten the nine absent capsules, with λ and without it."""
    gradient = _gradient(torch.full((1, 10), _LENGTH, dtype=torch.float64))[0]
    shrinking = float(gradient[1:].sum())
    without = shrinking / losses.DOWN_WEIGHT
    return shrinking < without, reason("shrinking", length=_LENGTH, shrinking=shrinking, without=without)


def _numerical_stability() -> Served:
    """Whether, without λ, a loss or a gradient stops being a finite number somewhere: then λ would be needed for stability."""
    extremes = (0.0, torch.finfo(torch.float32).tiny, 0.1, 0.5, 0.9, 1.0)
    found: list[float] = []
    for right, wrong in product(extremes, repeat=2):
        lengths = torch.tensor([[right] + [wrong] * 9])
        loss = float(losses.margin_loss(lengths, _present(lengths)))
        found += [value / losses.DOWN_WEIGHT for value in (loss, *_gradient(lengths)[0].tolist())]
    finite = all(map(math.isfinite, found))
    largest = max(map(abs, found)) if finite else math.inf
    return not finite, reason("stable" if finite else "not stable", largest=largest)


EXPERIMENTS: dict[str, Callable[[], Served]] = {
    "less shrinking of all capsules": _less_shrinking,
    "numerical stability": _numerical_stability,
}
"""The purposes that an experiment can tell, of λ in the margin loss."""


def _gradient(lengths: Tensor) -> Tensor:
    """The margin loss's gradient by each length; the first class is present."""
    leaf = lengths.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(losses.margin_loss(leaf, _present(leaf)), leaf)
    return gradient


def _present(lengths: Tensor) -> Tensor:
    labels = torch.zeros_like(lengths, requires_grad=False)
    labels[:, 0] = 1
    return labels
