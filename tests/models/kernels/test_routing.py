"""Factored routing computes what the plain form computes, forward and backward, in float64."""

from itertools import product

import pytest
import torch
from torch import Tensor

from capsaudit.models.kernels.routing import Routing, factored_routing
from capsaudit.models.routing import route


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


Inputs = tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]
"""Capsules, W, prior, first coupling, bias."""


def drawn(
    batch: int, grid: tuple[int, int], sizes: tuple[int, int, int], *, prior: bool, first: bool, bias: bool
) -> Inputs:
    """For `grid` places × matrices; `sizes` are classes and the dimensions in and out."""
    (places, matrices), (classes, dimension_in, dimension_out) = grid, sizes
    pairs = (places * matrices, classes)
    capsules, weight = leaf(batch, pairs[0], dimension_in), leaf(matrices, classes, dimension_in, dimension_out)
    shapes = ((pairs, prior), (pairs, first), ((classes, dimension_out), bias))
    b, c, added = (leaf(*shape) if there else None for shape, there in shapes)
    return capsules, weight, b, c, added


def plain(
    capsules: Tensor, weight: Tensor, prior: Tensor | None, first: Tensor | None, bias: Tensor | None, how: Routing
) -> Tensor:
    grouped = capsules.reshape(len(capsules), -1, len(weight), capsules.shape[2])
    votes = torch.einsum("bpmd,mcde->bpmce", grouped, weight).flatten(1, 2)
    return route(
        votes,
        iterations=how.iterations,
        prior=prior,
        first_coupling=first,
        bias=bias,
        none_of_the_above=how.none_of_the_above,
        last_only=how.last_only,
    )


INTERPRETATIONS = list(product([(1, 6), (2, 3), (6, 1)], [1, 2, 3], *[[False, True]] * 5))


@pytest.mark.parametrize(
    ("grid", "iterations", "prior", "first", "bias", "none_of_the_above", "last_only"), INTERPRETATIONS
)
def test_routing_and_its_gradients_equal_the_plain_ones(
    grid: tuple[int, int],
    iterations: int,
    prior: bool,
    first: bool,
    bias: bool,
    none_of_the_above: bool,
    last_only: bool,
) -> None:
    torch.manual_seed(0)
    tensors = drawn(3, grid, (3, 4, 5), prior=prior, first=first, bias=bias)
    how = Routing(iterations, none_of_the_above, last_only)
    ours, theirs = factored_routing(*tensors, how), plain(*tensors, how)
    torch.testing.assert_close(ours, theirs)
    inputs = [tensor for tensor in tensors if tensor is not None]
    gradient = torch.randn_like(ours)
    found = torch.autograd.grad(ours, inputs, gradient, allow_unused=True)
    expected = torch.autograd.grad(theirs, inputs, gradient, allow_unused=True)
    for mine, other in zip(found, expected, strict=True):
        assert (mine is None) == (other is None)  # what no gradient reaches is the same, too
        if mine is not None:
            torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(("prior", "first", "bias"), list(product([False, True], repeat=3)))
def test_gradcheck_of_routing(prior: bool, first: bool, bias: bool) -> None:
    torch.manual_seed(0)
    tensors = drawn(2, (2, 2), (3, 3, 2), prior=prior, first=first, bias=bias)
    there = [tensor for tensor in tensors if tensor is not None]

    def routed(*inputs: Tensor) -> Tensor:
        given = iter(inputs)
        capsules, weight, *rest = (None if tensor is None else next(given) for tensor in tensors)
        assert capsules is not None
        assert weight is not None
        return factored_routing(capsules, weight, rest[0], rest[1], rest[2], Routing(3))

    assert torch.autograd.gradcheck(routed, there)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("none_of_the_above", [False, True])
def test_more_images_than_are_routed_at_once(first: bool, none_of_the_above: bool) -> None:
    """70 images are three blocks of at most 32, whose gradients of all that the images share add up."""
    torch.manual_seed(0)
    tensors = drawn(70, (2, 3), (3, 4, 5), prior=True, first=first, bias=True)
    how = Routing(3, none_of_the_above)
    ours, theirs = factored_routing(*tensors, how), plain(*tensors, how)
    torch.testing.assert_close(ours, theirs)
    inputs = [tensor for tensor in tensors if tensor is not None]
    gradient = torch.randn_like(ours)
    found, expected = (torch.autograd.grad(output, inputs, gradient) for output in (ours, theirs))
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other)
