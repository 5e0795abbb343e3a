"""The kernels compute what the plain forms compute, forward and backward, in float64 and to float32's precision."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from capsaudit.models.kernels.convolution import unrolled_conv2d
from capsaudit.models.kernels.routing import Routing, factored_routing
from capsaudit.models.routing import route, squash, squash_backward
from capsaudit.train.optimiser import Adam


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


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
    places, matrices = grid
    pairs = (places * matrices, 3)
    tensors = [leaf(3, pairs[0], 4), leaf(matrices, 3, 4, 5)]
    tensors += [leaf(*shape) if there else None for shape, there in ((pairs, prior), (pairs, first), ((3, 5), bias))]  # type: ignore[misc]
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
    tensors = [leaf(2, 4, 3), leaf(2, 3, 3, 2)]
    tensors += [leaf(*shape) if there else None for shape, there in (((4, 3), prior), ((4, 3), first), ((3, 2), bias))]  # type: ignore[misc]
    assert torch.autograd.gradcheck(lambda *inputs: factored_routing(*inputs, Routing(3)), tensors)


def test_more_images_than_are_routed_at_once() -> None:
    torch.manual_seed(0)
    capsules, weight = leaf(70, 6, 4), leaf(6, 3, 4, 5)
    ours, theirs = (form(capsules, weight, None, None, None, Routing(3)) for form in (factored_routing, plain))
    torch.testing.assert_close(ours, theirs)
    for mine, other in zip(*(torch.autograd.grad(o.sum(), (capsules, weight)) for o in (ours, theirs)), strict=True):
        torch.testing.assert_close(mine, other)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 4),
    channels=st.integers(1, 4),
    out=st.integers(1, 4),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    height=st.integers(5, 11),
    width=st.integers(5, 11),
    bias=st.booleans(),
    relu=st.booleans(),
    few=st.booleans(),
)
def test_convolution_and_its_gradients_equal_the_library(
    batch: int,
    channels: int,
    out: int,
    kernel: int,
    stride: int,
    height: int,
    width: int,
    bias: bool,
    relu: bool,
    few: bool,
) -> None:
    """`few` forces the path for few channels or the one for many."""
    torch.manual_seed(0)
    channels = channels if few else channels + 64
    images, weight = leaf(batch, channels, height, width), leaf(out, channels, kernel, kernel)
    inputs = [images, weight, *([leaf(out)] if bias else [])]
    ours = unrolled_conv2d(images, weight, inputs[2] if bias else None, stride, relu=relu)
    theirs = F.conv2d(images, weight, inputs[2] if bias else None, stride)
    theirs = F.relu(theirs) if relu else theirs
    torch.testing.assert_close(ours, theirs)
    gradient = torch.randn_like(ours)
    found, expected = (torch.autograd.grad(output, inputs, gradient) for output in (ours, theirs))
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(("channels", "kernel", "stride"), [(1, 9, 1), (256, 9, 2)], ids=["conv1", "primary_caps"])
def test_float32_at_the_paper_s_size(channels: int, kernel: int, stride: int) -> None:
    """‖ours − exact‖ / ‖exact‖, exact being float64, is no worse than the library's own by more than a few roundings."""
    torch.manual_seed(0)
    images = torch.randn(3, channels, 20, 20, dtype=torch.float64)
    weight = torch.randn(32, channels, kernel, kernel, dtype=torch.float64)
    exact = F.conv2d(images, weight, stride=stride)
    ours = unrolled_conv2d(images.float(), weight.float(), None, stride).double()
    assert (ours - exact).norm() / exact.norm() < 2e-6


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
def test_squash_backward_is_its_gradient_and_finite(scale: float) -> None:
    vectors = (scale * torch.randn(4, 5, dtype=torch.float64)).requires_grad_()
    gradient = torch.randn(4, 5, dtype=torch.float64)
    (expected,) = torch.autograd.grad(squash(vectors), vectors, gradient)
    found = squash_backward(vectors.detach(), gradient)
    assert found.isfinite().all()
    torch.testing.assert_close(found, expected)


def test_adam_in_memory_order_is_adam() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 5, 3, 3)
    last = torch.nn.Parameter(weight.clone(memory_format=torch.channels_last))
    plain_weight = torch.nn.Parameter(weight.clone())
    ours, theirs = Adam([last], rate=0.1), torch.optim.Adam([plain_weight], lr=0.1)
    for step in range(50):
        theirs.param_groups[0]["lr"] = 0.1 * min(1, (step + 1) / 40) if step < 40 else 0.1 * 0.96 ** (step / 2000)
        for parameter, optimiser in ((last, ours), (plain_weight, theirs)):
            optimiser.zero_grad()
            (parameter.sin() * weight).sum().backward()
            optimiser.step()
    torch.testing.assert_close(last.detach(), plain_weight.detach())
