"""Convolutions with the padding rules of both worlds, against the library's convolution of a padded image."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from capsaudit import spec
from capsaudit.models.convolution import Convolution, ReluConvolution
from tests.strategies import convolutions


def conv(*, kernel: int, stride: int = 1, padding: spec.Padding = "valid", channels: int = 3) -> spec.Convolution:
    return spec.Convolution(channels=channels, kernel=kernel, stride=stride, padding=padding, bias=True)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "behind"),
    [
        (24, 9, 1, 4, 4),  # 24 outputs reach over 24 − 1 + 9 = 32 pixels
        (24, 9, 2, 3, 4),  # 12 outputs reach over 11·2 + 9 = 31: seven zeros, the odd one behind
        (25, 9, 2, 4, 4),  # 13 outputs reach over 12·2 + 9 = 33
        (5, 2, 1, 0, 1),
        (5, 1, 3, 0, 0),  # a kernel that steps over pixels needs none
    ],
)
def test_same_pads_as_tensorflow_does(size: int, kernel: int, stride: int, before: int, behind: int) -> None:
    layer = Convolution(conv(kernel=kernel, stride=stride, padding="same"), channels_in=2, device="cpu")
    images = torch.randn(1, 2, size, size)
    expected = F.conv2d(F.pad(images, (before, behind, before, behind)), layer.weight, layer.bias, stride)
    assert expected.shape[2] == -(-size // stride)
    torch.testing.assert_close(layer(images), expected)
    assert layer.output_size(size) == expected.shape[2]


@given(convolutions(), st.integers(4, 9), st.integers(4, 9))
def test_pixels_of_padding_are_those_of_the_library(knobs: spec.Convolution, height: int, width: int) -> None:
    layer = Convolution(knobs, channels_in=2, device="cpu")
    images = torch.randn(2, 2, height, width)
    output = layer(images)
    assert output.shape[2:] == (layer.output_size(height), layer.output_size(width))
    if knobs.padding != "same":
        pixels = 0 if knobs.padding == "valid" else knobs.padding
        expected = F.conv2d(images, layer.weight, layer.bias, knobs.stride, pixels)
        torch.testing.assert_close(output, expected)


def test_a_relu_and_a_pool_follow() -> None:
    torch.manual_seed(0)  # with some weights no value is negative
    layer = ReluConvolution(conv(kernel=2), channels_in=1, device="cpu", pool=2)
    images = torch.randn(2, 1, 6, 7)
    expected = F.max_pool2d(F.relu(F.conv2d(images, layer.weight, layer.bias)), 2)
    torch.testing.assert_close(layer(images), expected)
    assert (expected == 0).any()  # some value was negative
    assert (layer.output_size(6), layer.output_size(7)) == (2, 3)  # 5 // 2, 6 // 2


def test_without_a_pool_only_negative_values_change() -> None:
    layer = ReluConvolution(conv(kernel=2), channels_in=1, device="cpu")
    images = torch.randn(2, 1, 6, 7)
    torch.testing.assert_close(layer(images), F.relu(F.conv2d(images, layer.weight, layer.bias)))
    assert layer.output_size(6) == 5


def test_weights_lie_in_memory_as_the_kernel_reads_them() -> None:
    layer = Convolution(conv(kernel=3), channels_in=2, device="cpu")
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert Convolution(conv(kernel=3), channels_in=2, device="meta").weight.is_meta
