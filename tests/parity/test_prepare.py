"""A convolution of the spec is that of the models; what a forward is given."""

import pytest
import torch

from capsaudit.models.convolution import Convolution as Module
from capsaudit.parity.prepare import convolved
from capsaudit.spec import Convolution, Padding


@pytest.mark.parametrize("padding", ["valid", "same", 1])
@pytest.mark.parametrize("size", [9, 10])
def test_the_convolution_is_that_of_the_models(padding: Padding, size: int) -> None:
    conv = Convolution(channels=4, kernel=3, stride=2, padding=padding, bias=True)
    module = Module(conv, channels_in=2, device="cpu")
    images = torch.rand(3, 2, size, size)
    assert torch.allclose(convolved(images, list(module.parameters()), conv), module(images), atol=1e-6)


def test_several_convolutions_are_one() -> None:
    """The channels of each, one after another, each with its bias."""
    conv = Convolution(channels=4, kernel=3, stride=1, padding="valid", bias=True)
    weight, bias, images = torch.rand(4, 2, 3, 3), torch.rand(4), torch.rand(1, 2, 5, 5)
    parts = [weight[:2], bias[:2], weight[2:], bias[2:]]
    assert torch.allclose(convolved(images, parts, conv), convolved(images, [weight, bias], conv))
