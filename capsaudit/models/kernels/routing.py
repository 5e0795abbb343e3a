"""Dynamic routing (Sabour et al. 2017, procedure 1) on factored predictions, forward and backward by hand.

The backward pass keeps only each iteration's coefficients c and sums s. A gradient of û is a sum of terms c ds and da v over the
iterations; it is never formed, its terms go straight into W and u.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from capsaudit.models.kernels.votes import Votes, VotesGradient
from capsaudit.models.routing import squash, squash_backward

_IMAGES_AT_ONCE = 32
"""More images at once leave the cache, fewer make the products small."""


class Routing(NamedTuple):
    """What does not change within a network. `last_only`: the gradient passes through the last iteration alone."""

    iterations: int
    none_of_the_above: bool = False
    last_only: bool = False


def factored_routing(
    capsules: Tensor,
    weight: Tensor,
    prior: Tensor | None,
    first_coupling: Tensor | None,
    bias: Tensor | None,
    routing: Routing,
) -> Tensor:
    """Class capsules [batch, class, dim out] of primary capsules [batch, capsule, dim in].

    `weight` [matrix, class, dim in, dim out]; `prior`, `first_coupling` [capsule, class]; `bias` [class, dim out].
    """
    outputs: Tensor = _FactoredRouting.apply(  # type: ignore[no-untyped-call]
        capsules, weight, prior, first_coupling, bias, routing
    )
    return outputs


class _Iteration(NamedTuple):
    """Coupling coefficients, None where they are uniform, and the sums s_j before the squash."""

    coupling: Tensor | None
    sums: Tensor


class _FactoredRouting(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        capsules: Tensor,
        weight: Tensor,
        prior: Tensor | None,
        first_coupling: Tensor | None,
        bias: Tensor | None,
        routing: Routing,
    ) -> Tensor:
        kept: list[Tensor | None] = []
        outputs = []
        for chunk in capsules.split(_IMAGES_AT_ONCE):
            done = _iterate(Votes(chunk, weight), prior, first_coupling, bias, routing)
            outputs.append(squash(done[-1].sums))
            kept += [tensor for iteration in (done[-1:] if routing.last_only else done) for tensor in iteration]
        ctx.save_for_backward(capsules, weight, *kept)
        ctx.routing, ctx.given = routing, (prior is not None, first_coupling is not None, bias is not None)
        return torch.cat(outputs, 1).transpose(0, 1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        capsules, weight, *kept = ctx.saved_tensors
        iterations = [_Iteration(coupling, sums) for coupling, sums in zip(kept[::2], kept[1::2], strict=True)]
        chunks = list(zip(capsules.split(_IMAGES_AT_ONCE), gradient.split(_IMAGES_AT_ONCE), strict=True))
        depth = len(iterations) // len(chunks)
        total = _Total()
        for number, (chunk, d_outputs) in enumerate(chunks):
            votes = Votes(chunk, weight)
            done = iterations[number * depth : (number + 1) * depth]
            back = _Backward(votes, done, ctx.routing, *ctx.given, d_w=total.d_w)
            back.run(d_outputs.transpose(0, 1))
            total.add(back)
        return torch.cat(total.d_capsules), total.d_weight, total.d_prior, total.d_first, total.d_bias, None


class _Total:
    """Gradients of all chunks together."""

    def __init__(self) -> None:
        self.d_capsules: list[Tensor] = []
        self.d_w: Tensor | None = None
        self.d_weight: Tensor | None = None
        self.d_prior: Tensor | None = None
        self.d_first: Tensor | None = None
        self.d_bias: Tensor | None = None

    def add(self, back: _Backward) -> None:
        self.d_capsules.append(back.of_votes.of_capsules())
        self.d_w, self.d_weight = back.of_votes.d_w, back.of_votes.of_weight()
        self.d_prior = _plus(self.d_prior, back.d_prior)
        self.d_first = _plus(self.d_first, back.d_first)
        self.d_bias = _plus(self.d_bias, back.d_bias)


def _iterate(
    votes: Votes, prior: Tensor | None, first_coupling: Tensor | None, bias: Tensor | None, routing: Routing
) -> list[_Iteration]:
    logits = None if prior is None else votes.per_pair(prior)
    done: list[_Iteration] = []
    for number in range(routing.iterations):
        if done:
            agreement = votes.agreement(votes.lift(squash(done[-1].sums)))
            logits = agreement if logits is None else agreement.add_(logits)
        given = first_coupling is not None and number == 0
        coupling = votes.per_pair(first_coupling) if given else _softmax(logits, routing)  # type: ignore[arg-type]
        sums = _uniform_sums(votes, routing) if coupling is None else votes.product(votes.weigh(coupling))
        done.append(_Iteration(coupling, sums if bias is None else sums + bias.unsqueeze(1)))
    return done


class _Backward:
    """The iterations in reverse. `d_logits` gathers the gradient of the logits, which each iteration adds its agreement to."""

    def __init__(
        self,
        votes: Votes,
        iterations: list[_Iteration],
        routing: Routing,
        has_prior: bool,
        has_first: bool,
        has_bias: bool,
        *,
        d_w: Tensor | None,
    ) -> None:
        self.votes, self.iterations, self.routing = votes, iterations, routing
        self.has_prior, self.has_first, self.has_bias = has_prior, has_first, has_bias
        self.of_votes = VotesGradient(votes, d_w)
        self.d_logits: Tensor | None = None
        self.d_prior: Tensor | None = None
        self.d_first: Tensor | None = None
        self.d_bias: Tensor | None = None

    def run(self, d_outputs: Tensor) -> None:
        skipped = self.routing.iterations - len(self.iterations)
        for position in reversed(range(len(self.iterations))):
            d_sums = squash_backward(self.iterations[position].sums, d_outputs)
            if self.has_bias:
                self.d_bias = _plus(self.d_bias, d_sums.sum(1))
            self._through_sums(self.iterations[position].coupling, d_sums, number=skipped + position)
            if position > 0:
                d_outputs = self._through_agreement(squash(self.iterations[position - 1].sums))
        if self.has_prior and self.d_logits is not None:
            self.d_prior = self.votes.to_pairs(self.d_logits)

    def _through_sums(self, coupling: Tensor | None, d_sums: Tensor, *, number: int) -> None:
        """s_j = Σ_i c_ij û_j|i, and c = softmax(b) unless it is uniform or given."""
        if coupling is None:
            self.of_votes.add_uniform(_uniform(self.votes, self.routing), d_sums)
            return
        lifted = self.votes.lift(d_sums)
        given = self.has_first and number == 0
        if given:
            self.d_first = self.votes.to_pairs(self.votes.agreement(lifted))
        elif self.has_prior or not self.routing.last_only:
            d_coupling = self.votes.agreement(lifted)
            d_step = d_coupling.sub_((coupling * d_coupling).sum(0)).mul_(coupling)
            self.d_logits = _plus(self.d_logits, d_step)
        self.of_votes.add(coupling, d_sums, lifted)

    def _through_agreement(self, outputs: Tensor) -> Tensor:
        """a_ij = û_j|i · v_j was added to the logits: the gradient of v, where those of û go to W and u."""
        if self.d_logits is None:
            raise AssertionError("an iteration behind the first has logits")
        return self.votes.product(self.of_votes.add(self.d_logits, outputs, self.votes.lift(outputs)))


def _plus(total: Tensor | None, more: Tensor | None) -> Tensor | None:
    return more if total is None else total if more is None else total.add_(more)


def _softmax(logits: Tensor | None, routing: Routing) -> Tensor | None:
    """Coupling coefficients over the classes (eq. 3); None for logits of zero, whose softmax is uniform."""
    if logits is None:
        return None
    if not routing.none_of_the_above:
        return logits.softmax(0)
    return F.pad(logits, (0, 0, 0, 0, 0, 0, 0, 1)).softmax(0)[:-1].contiguous()


def _uniform_sums(votes: Votes, routing: Routing) -> Tensor:
    return votes.uniform_sums() * _uniform(votes, routing)


def _uniform(votes: Votes, routing: Routing) -> float:
    return 1 / (votes.classes + routing.none_of_the_above)
