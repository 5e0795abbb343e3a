"""The predictions û_j|i = u_i W_ij of DigitCaps in factored form: every use of them, and none of them ever formed.

û is 20 times the size of everything else in the layer, and enters routing in two ways only, both of them products with W after or
before something small:

    Σ_i c_ij û_j|i = Σ_i (c_ij u_i) W_ij        weigh u by the coefficients, then one product a class
    û_j|i · v_j    = u_i · (W_ij v_j)           lift v through W, then sum over the dimensions of u_i

Names of the axes: primary capsules that share their W are the *places* of one *matrix*; where each has its own there is one place.
Coefficients are [class, batch, place, matrix], vectors of class capsules [class, batch, dim out].
"""

from __future__ import annotations

import torch
from torch import Tensor

from capsaudit.models.kernels.scratch import borrow


class Votes:
    """û of primary capsules [batch, capsule, dim in] and W [matrix, class, dim in, dim out].

    Both are viewed with the capsules innermost; no copy is made where the memory is so already.
    """

    def __init__(self, capsules: Tensor, weight: Tensor) -> None:
        matrices, self.classes, dimension_in, self.dimension_out = weight.shape
        inner = capsules.transpose(1, 2).contiguous()
        self.u = inner.view(len(capsules), dimension_in, -1, matrices)
        self.w = weight.permute(1, 3, 2, 0).contiguous().view(self.classes, self.dimension_out, -1)

    @property
    def batch(self) -> int:
        """Images at once."""
        return len(self.u)

    def per_pair(self, parameter: Tensor) -> Tensor:
        """A parameter [capsule, class] as coefficients, the same for every image."""
        _, _, places, matrices = self.u.shape
        return parameter.t().reshape(self.classes, 1, places, matrices).expand(-1, self.batch, -1, -1)

    def to_pairs(self, coefficients: Tensor) -> Tensor:
        """The gradient of `per_pair`: summed over the images, [capsule, class]."""
        return coefficients.sum(1).view(self.classes, -1).t()

    def weigh(self, coefficients: Tensor) -> Tensor:
        """Σ over places of c u: [class, batch, dim in·matrix], valid until something else is weighed or lifted."""
        batch, dimension_in, places, matrices = self.u.shape
        if places > 1:
            return torch.einsum("bdpm,cbpm->cbdm", self.u, coefficients).flatten(2)
        out = borrow("votes", (self.classes, batch, dimension_in, matrices), self.u)
        torch.mul(self.u[:, :, 0], coefficients, out=out)
        return out.view(self.classes, batch, -1)

    def product(self, weighed: Tensor) -> Tensor:
        """What was weighed, times W: [class, batch, dim out]."""
        return torch.bmm(weighed, self.w.transpose(1, 2))

    def uniform_sums(self) -> Tensor:
        """Σ_i û_j|i, for coefficients that are all 1, as a single product."""
        sums = self.pooled() @ self.w.flatten(0, 1).t()
        return sums.view(self.batch, self.classes, -1).transpose(0, 1).contiguous()

    def pooled(self) -> Tensor:
        """Σ over places of u: [batch, dim in·matrix]."""
        return self.u.sum(2).flatten(1)

    def lift(self, vectors: Tensor) -> Tensor:
        """W_ij v_j: [class, batch, dim in, matrix], valid until something else is weighed or lifted."""
        batch, dimension_in, _, matrices = self.u.shape
        out = borrow("votes", (self.classes, batch, dimension_in * matrices), self.u)
        torch.bmm(vectors, self.w, out=out)
        return out.view(self.classes, batch, dimension_in, matrices)

    def agreement(self, lifted: Tensor) -> Tensor:
        """û_j|i · v_j from what was lifted: coefficients."""
        if self.u.shape[2] > 1:
            return torch.einsum("bdpm,cbdm->cbpm", self.u, lifted)
        u = self.u[:, :, 0]
        agreement = u.new_empty(self.classes, self.batch, 1, u.shape[2])
        product = borrow("agreement", tuple(u.shape), u)
        for of_class, lifted_class in zip(agreement, lifted, strict=True):  # a class at a time stays in the cache
            torch.sum(torch.mul(u, lifted_class, out=product), 1, keepdim=True, out=of_class)
        return agreement


class VotesGradient:
    """Gradients of u and W, gathered from gradients of û that have the form coefficients ⊗ vectors.

    `d_w` goes on from an earlier batch.
    """

    def __init__(self, votes: Votes, d_w: Tensor | None = None) -> None:
        self.votes = votes
        self.d_u = torch.zeros_like(votes.u)
        self.d_w = torch.zeros_like(votes.w) if d_w is None else d_w

    def add(self, coefficients: Tensor, vectors: Tensor, lifted: Tensor) -> Tensor:
        """dû_j|i += coefficients · vectors, given the lifted vectors. Returns the weighed coefficients."""
        self._add_to_u(coefficients, lifted)
        weighed = self.votes.weigh(coefficients)
        self.d_w.baddbmm_(vectors.transpose(1, 2), weighed)
        return weighed

    def _add_to_u(self, coefficients: Tensor, lifted: Tensor) -> None:
        if self.votes.u.shape[2] > 1:
            self.d_u += torch.einsum("cbpm,cbdm->bdpm", coefficients, lifted)
            return
        d_u = self.d_u[:, :, 0]
        for of_class, lifted_class in zip(coefficients, lifted, strict=True):
            d_u.addcmul_(lifted_class, of_class)

    def add_uniform(self, coefficient: float, vectors: Tensor) -> None:
        """The same for a coefficient that all pairs share."""
        votes = self.votes
        flat = vectors.transpose(0, 1).flatten(1) * coefficient
        self.d_w.flatten(0, 1).addmm_(flat.t(), votes.pooled())
        self.d_u += (flat @ votes.w.flatten(0, 1)).view(votes.batch, votes.u.shape[1], 1, -1)

    def of_capsules(self) -> Tensor:
        """[batch, capsule, dim in]."""
        return self.d_u.flatten(2).transpose(1, 2)

    def of_weight(self) -> Tensor:
        """[matrix, class, dim in, dim out]."""
        classes, dimension_out, _ = self.d_w.shape
        return self.d_w.view(classes, dimension_out, self.votes.u.shape[1], -1).permute(3, 0, 2, 1)
