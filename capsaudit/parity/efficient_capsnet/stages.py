"""The stages of an Efficient-CapsNet's forward pass: what Mazzia et al. 2021 and the authors' code say, and what other implementations compute.

Each table maps what a stage may compute, as it is shown, to a function. The reference's choice comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from capsaudit.parity.decoder import ACTIVATIONS
from capsaudit.parity.equations import PLACES, Squash, exponential_squash, squash


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
    >>> batch_statistics(torch.tensor([1.0, 3.0]).view(2, 1, 1, 1), Norm(one, 0 * one, epsilon=3.0)).flatten()  # ±1/√(1 + 3)
    tensor([-0.5000,  0.5000])
    """
    return F.batch_norm(features, None, None, norm.scale, norm.shift, training=True, eps=norm.epsilon)


def image_statistics(features: Tensor, norm: Norm) -> Tensor:
    """The same with the mean and variance of each image, as in the authors' network for smallNORB.

    >>> one = torch.ones(1)
    >>> image_statistics(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2), Norm(one, 0 * one, epsilon=3.0)).flatten()
    tensor([-0.5000,  0.5000])
    """
    return F.instance_norm(features, weight=norm.scale, bias=norm.shift, eps=norm.epsilon)


NORMS: dict[str, Callable[[Tensor, Norm], Tensor]] = {
    "BatchNorm": batch_norm,
    "BatchNorm with the statistics of the batch": batch_statistics,
    "InstanceNorm": image_statistics,
}
"""Normalisations of features [batch, channel, height, width]."""


def activated(norm: Norm) -> dict[str, Callable[[Tensor], Tensor]]:
    """What may be applied to the output of a convolution: an activation, and a normalisation behind it, before it, or none.

    >>> one = torch.ones(1)
    >>> made = activated(Norm(one, one, 3 * one, one, 0.0))
    >>> ways = ("BatchNorm behind it", "BatchNorm before it", "no normalisation")
    >>> [made[f"ReLU, {way}"](torch.ones(1, 1, 1, 1)).item() for way in ways]  # 1 − 3 + 1 = −1
    [-1.0, 0.0, 1.0]
    """
    found: dict[str, Callable[[Tensor], Tensor]] = {}
    for activation, function in ACTIVATIONS.items():
        for name, normalise in NORMS.items():
            if name != "BatchNorm" or norm.variance is not None:
                normalised = partial(_applied, normalise, norm)
                if activation == "no activation":
                    found[f"{activation}, {name}"] = normalised
                else:
                    found[f"{activation}, {name} behind it"] = partial(_then, function, normalised)
                    found[f"{activation}, {name} before it"] = partial(_then, normalised, function)
        found[f"{activation}, no normalisation"] = function
    return found


def _applied(normalise: Callable[[Tensor, Norm], Tensor], norm: Norm, features: Tensor) -> Tensor:
    return normalise(features, norm)


def _then(first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    return second(first(features))


CONVOLUTION = "ReLU, BatchNorm behind it"
"""What is applied to the output of each convolution before the primary capsules'."""

_EXPONENTIAL, _SABOUR = "(1 − e^−|s|) · s/|s|", "|s|²/(1 + |s|²) · s/|s|"

SQUASHES: dict[str, Squash] = {
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
    """By what Σ_k A_ik is divided: √dimension in the reference.

    >>> agreements(capsules=16, dimension_in=8, dimension=16)["divided by √16"]
    4.0
    """
    roots = {f"divided by √{size}": math.sqrt(size) for size in (dimension, dimension_in, capsules)}
    whole = {f"divided by {size}": float(size) for size in (dimension, dimension_in, capsules)}
    return (
        roots | {"not divided": 1.0} | whole | {f"divided by {capsules}·√{dimension}": capsules * math.sqrt(dimension)}
    )


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


_REFERENCE = {
    "conv1": (CONVOLUTION,),
    "primary_caps.layout": PLACES,
    "primary_caps.squash": (_EXPONENTIAL,),
    "softmax": tuple(SOFTMAXES)[:1],
    "logits": tuple(LOGITS)[:1],
    "digit_caps.squash": (_EXPONENTIAL,),
}


def deviations_of(names: Mapping[str, str]) -> int:
    """How many stages are not as in the reference, but for the agreement, whose reference depends on the dimension."""
    return sum(name not in _REFERENCE[stage] for stage, name in names.items() if stage in _REFERENCE)
