"""Dynamic routing in plain form: Sabour et al. 2017, equations 2 and 3 and procedure 1.

It holds all predictions û in memory and runs on any device. On a processor `kernels.routing` computes the same without them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from capsaudit.models.squash import squash


def coupling_of(logits: Tensor, *, none_of_the_above: bool) -> Tensor:
    """Coupling coefficients c_ij: a softmax of the logits over the classes (eq. 3), the last axis.

    With `none_of_the_above` a constant logit of zero competes with the classes, so that they share less than 1.
    """
    if not none_of_the_above:
        return logits.softmax(-1)
    return F.pad(logits, (0, 1)).softmax(-1)[..., :-1]


def route(
    votes: Float[Tensor, "batch capsule cls dim"],
    *,
    iterations: int,
    prior: Float[Tensor, "capsule cls"] | None = None,
    first_coupling: Float[Tensor, "capsule cls"] | None = None,
    bias: Float[Tensor, "cls dim"] | None = None,
    none_of_the_above: bool = False,
    last_only: bool = False,
) -> Float[Tensor, "batch cls dim"]:
    """Dynamic routing of the predictions û_j|i (procedure 1), for each image by itself.

    `prior` is the starting value of the logits b (zero without it), `first_coupling` stands for the computed coefficients c in
    the first iteration, `bias` is added to s_j before the squash. With `last_only` the gradient does not pass through the
    iterations before the last.
    """
    seen = votes.detach() if last_only else votes  # by the iterations that only prepare the logits
    logits = votes.new_zeros(votes.shape[:-1]) if prior is None else prior.expand(votes.shape[:-1])
    coupling = coupling_of(logits, none_of_the_above=none_of_the_above)
    if first_coupling is not None:
        coupling = first_coupling.expand_as(coupling)
    for _ in range(iterations - 1):
        outputs = _weighted(seen, coupling, bias)
        agreement = torch.einsum("bicd,bcd->bic", seen, outputs)
        logits = logits + (agreement.detach() if last_only else agreement)
        coupling = coupling_of(logits, none_of_the_above=none_of_the_above)
    return _weighted(votes, coupling, bias)


def _weighted(votes: Tensor, coupling: Tensor, bias: Tensor | None) -> Tensor:
    """v_j = squash(Σ_i c_ij û_j|i)."""
    sums = torch.einsum("bic,bicd->bcd", coupling, votes)
    return squash(sums if bias is None else sums + bias)
