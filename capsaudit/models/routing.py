"""Squash and dynamic routing: Sabour et al. 2017, equations 1 to 3 and procedure 1."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def squash(vectors: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Shrink each vector to a length below 1 and keep its direction: |s|²/(1+|s|²) · s/|s| (eq. 1), along the last axis.

    Written as s · |s|/(1+|s|²), which needs no division by |s|: a zero vector stays zero, and its gradient is zero, not NaN.
    """
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors * (length / (1 + length.square()))


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
) -> Float[Tensor, "batch cls dim"]:
    """Dynamic routing of the predictions û_j|i (procedure 1), for each image by itself.

    `prior` is the starting value of the logits b (zero without it), `first_coupling` stands for the computed coefficients c in
    the first iteration, `bias` is added to s_j before the squash.
    """
    logits = votes.new_zeros(votes.shape[:-1]) if prior is None else prior.expand(votes.shape[:-1])
    coupling = coupling_of(logits, none_of_the_above=none_of_the_above)
    if first_coupling is not None:
        coupling = first_coupling.expand_as(coupling)
    outputs = _weighted(votes, coupling, bias)
    for _ in range(iterations - 1):
        logits = logits + torch.einsum("bicd,bcd->bic", votes, outputs)
        outputs = _weighted(votes, coupling_of(logits, none_of_the_above=none_of_the_above), bias)
    return outputs


def _weighted(votes: Tensor, coupling: Tensor, bias: Tensor | None) -> Tensor:
    """v_j = squash(Σ_i c_ij û_j|i)."""
    sums = torch.einsum("bic,bicd->bcd", coupling, votes)
    return squash(sums if bias is None else sums + bias)
