"""The nonlinearity of capsules (Sabour et al. 2017, equation 1)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def squash(vectors: Float[Tensor, "*shape"], dim: int = -1) -> Float[Tensor, "*shape"]:
    """Shrink each vector to a length below 1 and keep its direction: |s|²/(1+|s|²) · s/|s|, along `dim`.

    Written as s · |s|/(1+|s|²), which needs no division by |s|: a zero vector stays zero, and its gradient is zero, not NaN.
    """
    length: Tensor = torch.linalg.vector_norm(vectors, dim=dim, keepdim=True)
    return vectors * (length / (1 + length.square()))


def squash_backward(vectors: Float[Tensor, "*shape"], gradient: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The gradient of `squash` along the last axis: with n = |s| and f = n/(1+n²) it is f g + s (s·g) f'/n."""
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    bent = (1 - length.square()) / (1 + length.square()).square()
    along = (vectors * gradient).sum(-1, keepdim=True) / length.clamp_min(torch.finfo(length.dtype).tiny)
    return gradient * (length / (1 + length.square())) + vectors * (along * bent)
