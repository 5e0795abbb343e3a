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
from capsaudit.models.squash import squash, squash_backward


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
    outputs: Tensor = _FactoredRouting.apply(capsules, weight, prior, first_coupling, bias, routing)
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
        votes = Votes(capsules, weight)
        done = _iterate(votes, prior, first_coupling, bias, routing)
        kept = done[-1:] if routing.last_only else done
        ctx.save_for_backward(capsules, weight, *(tensor for iteration in kept for tensor in iteration))
        ctx.routing, ctx.given = routing, (prior is not None, first_coupling is not None, bias is not None)
        return squash(done[-1].sums).transpose(0, 1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        capsules, weight, *kept = ctx.saved_tensors
        iterations = [_Iteration(coupling, sums) for coupling, sums in zip(kept[::2], kept[1::2], strict=True)]
        back = _Backward(Votes(capsules, weight), iterations, ctx.routing, *ctx.given)
        back.run(gradient.transpose(0, 1))
        return back.of_votes.of_capsules(), back.of_votes.of_weight(), back.d_prior, back.d_first, back.d_bias, None


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
        if coupling is None:
            sums = votes.uniform_sums() * _uniform(votes, routing)
        else:
            sums = votes.product(votes.weigh(coupling))
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
    ) -> None:
        self.votes, self.iterations, self.routing = votes, iterations, routing
        self.has_prior, self.has_first, self.has_bias = has_prior, has_first, has_bias
        self.of_votes = VotesGradient(votes)
        self.d_logits: Tensor | None = None
        self.d_prior: Tensor | None = None
        self.d_first: Tensor | None = None
        self.d_bias: Tensor | None = None

    def run(self, d_outputs: Tensor) -> None:
        skipped = self.routing.iterations - len(self.iterations)
        for position in reversed(range(len(self.iterations))):
            d_sums = squash_backward(self.iterations[position].sums, d_outputs)
            if self.has_bias:
                self.d_bias = d_sums.sum(1) if self.d_bias is None else self.d_bias + d_sums.sum(1)
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
            self.d_logits = d_step if self.d_logits is None else self.d_logits.add_(d_step)
        self.of_votes.add(coupling, d_sums, lifted, self.votes.weigh(coupling))

    def _through_agreement(self, outputs: Tensor) -> Tensor:
        """a_ij = û_j|i · v_j was added to the logits: the gradient of v, where those of û go to W and u."""
        if self.d_logits is None:
            raise AssertionError("an iteration behind the first has logits")
        weighed = self.votes.weigh(self.d_logits)
        self.of_votes.add(self.d_logits, outputs, self.votes.lift(outputs), weighed)
        return self.votes.product(weighed)


def _softmax(logits: Tensor | None, routing: Routing) -> Tensor | None:
    """Coupling coefficients over the classes (eq. 3); None for logits of zero, whose softmax is uniform."""
    if logits is None:
        return None
    if not routing.none_of_the_above:
        return logits.softmax(0)
    return F.pad(logits, (0, 0, 0, 0, 0, 0, 0, 1)).softmax(0)[:-1].contiguous()


def _uniform(votes: Votes, routing: Routing) -> float:
    return 1 / (votes.classes + routing.none_of_the_above)
