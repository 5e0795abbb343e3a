"""A convolution of the spec is that of the models; float32 is precise enough where a model does not run in float64."""

import pytest
import torch
from torch import Tensor, nn

from capsaudit import api
from capsaudit.catalogue import load_variant
from capsaudit.inspection.module import inspect_module
from capsaudit.models.convolution import Convolution as Module
from capsaudit.parity.prepare import GAINS, Run, convolved, run_with
from capsaudit.parity.record import TOLERANCE
from capsaudit.recognition.base import Match
from capsaudit.recognition.closest import closest
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


class OnlyFloat32(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, targets: Tensor | None = None) -> object:
        if images.dtype != torch.float32:
            raise TypeError(images.dtype)
        return self.network(images, targets)


def run_of(module: nn.Module, gain: float) -> Run:
    match = closest(inspect_module(module, "mine"), (load_variant("paper"),))
    assert isinstance(match, Match)
    return run_with(module, match.network, gain)


@pytest.mark.parametrize("gain", GAINS)
def test_one_tolerance_serves_float32_too(gain: float) -> None:
    """Rounding changes what the paper's network returns, its class capsules among it, by less than a tenth of the tolerance."""
    network = api.build("paper")
    exact, rounded = run_of(network, gain), run_of(OnlyFloat32(network), gain)
    assert (exact.tensors["conv1"][0].dtype, rounded.tensors["conv1"][0].dtype) == (torch.float64, torch.float32)
    returned = [each.tensor for each in exact.recording.outputs]
    assert [tensor[0].numel() for tensor in returned] == [784, 160, 10]
    assert 0 < max(rounded.recording.output_error(tensor) for tensor in returned) < TOLERANCE / 10
