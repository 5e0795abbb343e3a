"""The unrolled convolution computes what the library computes, forward and backward, in float64 and to float32's precision."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from capsaudit.models.kernels.convolution import unrolled_conv2d


def leaf(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@settings(max_examples=100, deadline=None)
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


@pytest.mark.parametrize("channels", [1, 70], ids=["patches", "windows"])
def test_more_images_than_are_unrolled_at_once(channels: int) -> None:
    """35 images are three blocks of at most 16, whose gradients of weight and bias add up."""
    torch.manual_seed(0)
    inputs = leaf(35, channels, 6, 6), leaf(3, channels, 3, 3), leaf(3)
    ours, theirs = unrolled_conv2d(*inputs, 2, relu=True), F.relu(F.conv2d(*inputs, 2))
    torch.testing.assert_close(ours, theirs)
    gradient = torch.randn_like(ours)
    found, expected = (torch.autograd.grad(output, inputs, gradient) for output in (ours, theirs))
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other)


def test_images_that_need_no_gradient_get_none() -> None:
    images, weight = torch.randn(2, 1, 6, 6), torch.randn(3, 1, 3, 3, requires_grad=True)
    unrolled_conv2d(images, weight, None, 1).sum().backward()
    assert images.grad is None
    assert weight.grad is not None


def test_images_get_their_gradient_also_where_the_weights_are_frozen() -> None:
    """As where an image is changed so that a network calls it another digit."""
    images, weight = leaf(2, 1, 6, 6), leaf(3, 1, 3, 3).detach()
    (found,) = torch.autograd.grad(unrolled_conv2d(images, weight, None, 1).sum(), images)
    (expected,) = torch.autograd.grad(F.conv2d(images, weight).sum(), images)
    torch.testing.assert_close(found, expected)


def test_memory_that_is_used_again_does_not_change_what_was_returned() -> None:
    """The buffers of one call are those of the next."""
    images, weight = torch.randn(2, 80, 8, 8), torch.randn(4, 80, 3, 3)
    first = unrolled_conv2d(images, weight, None, 1)
    kept = first.clone()
    unrolled_conv2d(torch.zeros_like(images), weight, None, 1)
    assert torch.equal(first, kept)
