"""Squash and dynamic routing in plain form: Sabour et al. 2017, equations 1 to 3 and procedure 1.

Routing holds all predictions û in memory and runs on any device. On a CPU `kernels.routing` computes the same without them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


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


def squash(vectors: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """Shrink each vector to a length below 1 and keep its direction: |s|²/(1+|s|²) · s/|s|, along `dim`.

    Written as s · |s|/(1+|s|²), which needs no division by |s|: a zero vector stays zero, and its gradient is zero, not NaN.
    """
    length: Tensor = torch.linalg.vector_norm(vectors, dim=dim, keepdim=True)
    return vectors * (length / (1 + length.square()))


def squash_backward(vectors: Float[Tensor, "*shape"], gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The gradient of `squash` along the last axis: with n = |s| and f = n/(1+n²) it is f g + s (s·g) f'/n."""
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    slope = (1 - length.square()) / (1 + length.square()).square()
    along = (vectors * gradient).sum(-1, keepdim=True) / length.clamp_min(torch.finfo(length.dtype).tiny)
    return gradient * (length / (1 + length.square())) + vectors * (along * slope)
