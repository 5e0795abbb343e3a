"""The stages of an Efficient-CapsNet's forward pass: what Mazzia et al. 2021 and the authors' code say, and what other implementations compute.

Each table maps what a stage may compute, as it is shown, to a function. The reference's choice comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from capsaudit.parity.capsnet.stages import exponential_squash, squash
from capsaudit.parity.decoder import ACTIVATIONS


class Norm(NamedTuple):
    """What a normalisation has for each channel; without running statistics where the model stores none."""

    scale: Tensor
    shift: Tensor
    mean: Tensor | None = None
    variance: Tensor | None = None
    epsilon: float = 1e-5


def batch_norm(features: Tensor, norm: Norm) -> Tensor:
    """Scale · (x − mean)/√(variance + ε) + shift, with the running mean and variance of each channel.

    >>> one = torch.ones(1)
    >>> batch_norm(torch.full((1, 1, 1, 1), 5.0), Norm(2 * one, 3 * one, one, 4 * one, 0.0)).item()  # 2·(5 − 1)/2 + 3
    7.0
    """
    return F.batch_norm(features, norm.mean, norm.variance, norm.scale, norm.shift, eps=norm.epsilon)


def batch_statistics(features: Tensor, norm: Norm) -> Tensor:
    """The same with the mean and variance of this batch.

    >>> one = torch.ones(1)
    >>> batch_statistics(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1), Norm(one, 0 * one, epsilon=0.0)).flatten()
    tensor([-1.,  1.])
    """
    return F.batch_norm(features, None, None, norm.scale, norm.shift, training=True, eps=norm.epsilon)


def image_statistics(features: Tensor, norm: Norm) -> Tensor:
    """The same with the mean and variance of each image, as in the authors' network for smallNORB.

    >>> one = torch.ones(1)
    >>> image_statistics(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2), Norm(one, 0 * one, epsilon=0.0)).flatten()
    tensor([-1.,  1.])
    """
    return F.instance_norm(features, weight=norm.scale, bias=norm.shift, eps=norm.epsilon)


NORMS: dict[str, Callable[[Tensor, Norm], Tensor]] = {
    "BatchNorm": batch_norm,
    "BatchNorm with the statistics of the batch": batch_statistics,
    "InstanceNorm": image_statistics,
}
"""Normalisations of features [batch, channel, height, width]."""


def activated(norm: Norm) -> Iterator[tuple[str, Callable[[Tensor], Tensor]]]:
    """What may be applied to the output of a convolution: an activation, and a normalisation behind it, before it, or none."""
    for activation, function in ACTIVATIONS.items():
        for name, normalise in NORMS.items():
            if norm.variance is not None or name != "BatchNorm":
                yield f"{activation}, {name} behind it", lambda x, f=function, n=normalise: n(f(x), norm)
                yield f"{activation}, {name} before it", lambda x, f=function, n=normalise: f(n(x, norm))
        yield f"{activation}, no normalisation", function


REFERENCE = "ReLU, BatchNorm behind it"

_EXPONENTIAL, _SABOUR = "(1 − e^−|s|) · s/|s|", "|s|²/(1 + |s|²) · s/|s|"

SQUASHES: dict[str, Callable[[Tensor, int], Tensor]] = {
    _EXPONENTIAL: exponential_squash,
    _SABOUR: squash,
    "no squash": lambda s, _: s,
    "|s|²/(0.5 + |s|²) · s/|s|": partial(squash, softening=0.5),
    f"{_EXPONENTIAL}, twice": lambda s, axis: exponential_squash(exponential_squash(s, axis), axis),
    f"{_EXPONENTIAL}, after a ReLU": lambda s, axis: exponential_squash(F.relu(s), axis),
}
"""The second is that of Sabour et al. 2017."""

USUAL_SQUASHES = (_EXPONENTIAL, _SABOUR)
"""Those that are also tried over a wrong axis."""


def attention(votes: Tensor) -> Tensor:
    """Σ_k A_ik with A = û ûᵀ, the products of the votes of each class: from [batch, i, j, e] to [batch, i, j].

    >>> attention(torch.tensor([[1.0, 0.0], [1.0, 2.0]]).view(1, 2, 1, 2)).flatten()  # 1 + 1 and 1 + 5
    tensor([2., 6.])
    """
    return torch.einsum("bije,bkje->bij", votes, votes)


def agreements(capsules: int, dimension_in: int, dimension: int) -> dict[str, float]:
    """By what Σ_k A_ik is divided.

    >>> agreements(capsules=32, dimension_in=8, dimension=16)["divided by √16"]
    4.0
    """
    divisors = {f"divided by √{size}": math.sqrt(size) for size in (dimension, dimension_in, capsules)}
    mean = {f"mean over k, divided by √{dimension}": capsules * math.sqrt(dimension), "mean over k": float(capsules)}
    return divisors | {"not divided": 1.0, f"divided by {dimension}": float(dimension)} | mean


SOFTMAXES: dict[str, Callable[[Tensor], Tensor]] = {
    "over the classes": lambda agreement: agreement.softmax(2),
    "over the inputs": lambda agreement: agreement.softmax(1),
    "over the batch": lambda agreement: agreement.softmax(0),
    "over a single value": torch.ones_like,
    "not applied": lambda agreement: agreement,
}
"""Of the agreement [batch, capsule, class]."""

LOGITS: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor]] = {
    "stored, added behind the softmax": lambda softmax, agreement, stored: softmax(agreement) + stored,
    "stored, added before the softmax": lambda softmax, agreement, stored: softmax(agreement + stored),
    "not used": lambda softmax, agreement, _: softmax(agreement),
}
"""The coupling coefficients c [batch, capsule, class] of a softmax, the agreement and the log priors [capsule, class]."""
