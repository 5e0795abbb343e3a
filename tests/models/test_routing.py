"""Squash and routing in plain form: equations 1 to 3 and procedure 1."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from capsaudit.models.routing import coupling_of, route, squash, squash_backward
from tests.models import plain


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=8))
def test_squash_is_equation_1(values: list[float]) -> None:
    vector = torch.tensor(values, dtype=torch.float64)
    squashed = squash(vector)
    np.testing.assert_allclose(squashed, plain.squash(vector.numpy()), rtol=1e-12, atol=1e-300)
    assert squashed.norm() < 1


def test_squash_of_lengths_worked_out_by_hand() -> None:
    """|s| = 5: 25/26 · s/5. |s| = 1: half as long."""
    torch.testing.assert_close(squash(torch.tensor([3.0, 4.0])), torch.tensor([15 / 26, 20 / 26]))
    torch.testing.assert_close(squash(torch.tensor([0.0, 1.0])), torch.tensor([0.0, 0.5]))


def test_a_zero_vector_has_a_finite_gradient() -> None:
    zero = torch.zeros(3, 8, requires_grad=True)
    squash(zero).sum().backward()
    assert zero.grad is not None
    assert torch.equal(zero.grad, torch.zeros(3, 8))


def test_couplings_of_a_capsule_add_up_to_one_over_the_classes() -> None:
    logits = torch.randn(2, 7, 10, dtype=torch.float64)
    torch.testing.assert_close(
        coupling_of(logits, none_of_the_above=False).sum(-1), torch.ones(2, 7, dtype=torch.float64)
    )
    shared = coupling_of(torch.zeros(2, 7, 10), none_of_the_above=True)
    torch.testing.assert_close(shared, torch.full((2, 7, 10), 1 / 11))


def test_the_plain_one_can_tell_a_softmax_over_the_wrong_axis() -> None:
    """The test above would notice the commonest mistake in public re-implementations."""
    votes = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    right = route(votes, iterations=3)
    logits, outputs = torch.zeros(2, 5, 3, dtype=torch.float64), torch.zeros(2, 3, 4, dtype=torch.float64)
    for _ in range(3):
        outputs = squash(torch.einsum("bic,bicd->bcd", logits.softmax(1), votes))
        logits = logits + torch.einsum("bicd,bcd->bic", votes, outputs)
    assert not torch.allclose(right, outputs, rtol=1e-3)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
def test_squash_backward_is_its_gradient_and_finite(scale: float) -> None:
    vectors = (scale * torch.randn(2, 4, 5, dtype=torch.float64)).requires_grad_()
    gradient = torch.randn(2, 4, 5, dtype=torch.float64)
    (expected,) = torch.autograd.grad(squash(vectors), vectors, gradient)
    found = squash_backward(vectors.detach(), gradient)
    assert found.isfinite().all()
    torch.testing.assert_close(found, expected)


def test_squash_along_another_axis() -> None:
    vectors = torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(squash(vectors, dim=1), squash(vectors.transpose(1, 2)).transpose(1, 2))


def test_one_iteration_is_a_uniform_sum() -> None:
    """Two capsules, two classes, one dimension: (1 + 3)/2 = 2 → 2·2/(1 + 4) = 0.8; (2 + 0)/2 = 1 → 1/2."""
    votes = torch.tensor([[[[1.0], [2.0]], [[3.0], [0.0]]]])
    torch.testing.assert_close(route(votes, iterations=1).flatten(), torch.tensor([0.8, 0.5]))


def test_the_second_iteration_follows_the_agreement() -> None:
    """b = û·v: [0.8, 1.0] and [2.4, 0]; the softmax over the classes weighs the sums of the second iteration."""
    votes = torch.tensor([[[[1.0], [2.0]], [[3.0], [0.0]]]], dtype=torch.float64)
    (first, second), (third, fourth) = np.exp([0.8, 1.0]), np.exp([2.4, 0.0])
    sums = [first / (first + second) + 3 * third / (third + fourth), 2 * second / (first + second)]
    expected = [s * s / (1 + s * s) for s in sums]
    np.testing.assert_allclose(route(votes, iterations=2).flatten(), expected, rtol=1e-12)


def test_the_gradient_passes_through_the_last_iteration_alone_where_it_is_asked_to() -> None:
    """Values are the same either way; only what the earlier iterations contribute to the gradient is not there."""
    votes = torch.randn(2, 5, 3, 4, dtype=torch.float64, requires_grad=True)
    every, last = route(votes, iterations=3), route(votes, iterations=3, last_only=True)
    torch.testing.assert_close(every, last)
    (of_every,), (of_last,) = (torch.autograd.grad(each.square().sum(), votes) for each in (every, last))
    assert not torch.allclose(of_every, of_last)
