"""The stages of a capsule network's forward pass: what Sabour et al. 2017 say, and beside it what other implementations compute.

Each table maps what a stage may compute, as it is shown, to a function. The paper's choice comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from capsaudit.parity.decoder import ACTIVATIONS
from capsaudit.parity.equations import PLACES, Squash, exponential_squash, squash

SQUASHES: dict[str, Squash] = {
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
    "over a single value": torch.ones_like,
}
"""Coupling coefficients c (eq. 3) of the logits b [batch, capsules, classes]."""


def agreement(
    predicted: Float[Tensor, "batch i j e"], capsules: Float[Tensor, "batch j e"]
) -> Float[Tensor, "batch i j"]:
    """Procedure 1, line 7: û_j|i · v_j.

    >>> agreement(torch.ones(1, 2, 4, 5), torch.ones(1, 4, 5))[0, 0, 0]
    tensor(5.)
    """
    return torch.einsum("bije,bje->bij", predicted, capsules)


class Iteration(NamedTuple):
    """Of one iteration: the logits b [batch, capsules, classes], the votes û [batch, capsules, classes, dimension], the sums s and the class
    capsules v [batch, classes, dimension].
    """

    logits: Tensor
    votes: Tensor
    s: Tensor
    v: Tensor

    @property
    def agreed(self) -> Tensor:
        """û · v [batch, capsules, classes]."""
        return agreement(self.votes, self.v)


OF_SUMS = "added, of s in place of v"

AGREEMENTS: dict[str, Callable[[Iteration], Tensor]] = {
    "added, each image by itself": lambda now: now.logits + now.agreed,
    "added, averaged over the batch": lambda now: now.logits + now.agreed.mean(0, keepdim=True),
    "added, summed over the batch": lambda now: now.logits + now.agreed.sum(0, keepdim=True),
    "replaces the logits": lambda now: now.agreed,
    OF_SUMS: lambda now: now.logits + agreement(now.votes, now.s),
    "added, the cosine of û and v": lambda now: now.logits + F.cosine_similarity(now.votes, now.v[:, None], dim=-1),
}
"""The logits of the next iteration (procedure 1, line 7)."""


_PAPER = {
    "conv1": tuple(ACTIVATIONS)[:1],
    "primary_caps.layout": PLACES,
    "primary_caps.squash": tuple(SQUASHES)[:1],
    "softmax": (*tuple(SOFTMAXES)[:1], NONE_ABOVE),
    "agreement": tuple(AGREEMENTS)[:1],
    "digit_caps.squash": tuple(SQUASHES)[:1],
}
"""What of each stage is no deviation, whatever the variant."""


def deviations_of(names: Mapping[str, str]) -> int:
    """How many stages are not as the paper has them."""
    return sum(name not in _PAPER[stage] for stage, name in names.items() if stage in _PAPER)
