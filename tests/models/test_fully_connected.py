"""Chains of fully connected layers, and the decoder that is one."""

import pytest
import torch
from torch.nn import functional as F

from capsaudit import spec
from capsaudit.models.fully_connected import Decoder, FullyConnected

IMAGE = spec.Image(channels=2, height=3, width=4)


def decoder(kind: spec.DecoderInput, *hidden: int) -> Decoder:
    return Decoder(spec.Decoder(hidden=hidden, input=kind), classes=3, dimension=4, image=IMAGE, device="cpu")


def test_a_relu_stands_between_the_layers_and_none_behind_the_last() -> None:
    model = FullyConnected((5, 4, 3), device="cpu")
    values = torch.randn(20, 5)
    first, last = model.children()
    torch.testing.assert_close(model(values), last(F.relu(first(values))))
    assert (model(values) < 0).any()
    assert [name for name, _ in model.named_children()] == ["fc1", "fc2"]


def test_dropout_stands_before_the_last_layer_in_training_only() -> None:
    """Dropping half of what enters the only layer: its output, less the bias, is that of a half of the inputs, doubled."""
    torch.manual_seed(0)
    model = FullyConnected((1000, 1), device="cpu", dropout=0.5)
    weight, bias = (parameter.detach() for parameter in model.parameters())
    weight.fill_(1)
    values = torch.ones(1, 1000)
    dropped = float((model(values) - bias).detach())
    assert dropped != 1000
    assert 800 < dropped < 1200
    assert round(dropped) % 2 == 0  # each of those kept counts twice
    assert float((model.eval()(values) - bias).detach()) == pytest.approx(1000)


def test_a_masked_decoder_sees_zeros_in_the_place_of_the_other_capsules() -> None:
    model = decoder("masked", 6)
    capsules = torch.randn(2, 3, 4)
    masked = torch.zeros(2, 12)
    masked[0, 4:8], masked[1, 8:12] = capsules[0, 1], capsules[1, 2]
    expected = model(masked).sigmoid().view(2, 2, 3, 4)
    torch.testing.assert_close(model.reconstruct(capsules, torch.tensor([1, 2])), expected)
    assert next(model.parameters()).shape == (6, 12)


def test_a_selecting_decoder_sees_the_one_capsule_alone() -> None:
    model = decoder("selected")
    capsules = torch.randn(2, 3, 4)
    expected = model(torch.stack([capsules[0, 1], capsules[1, 2]])).sigmoid().view(2, 2, 3, 4)
    torch.testing.assert_close(model.reconstruct(capsules, torch.tensor([1, 2])), expected)
    assert next(model.parameters()).shape == (24, 4)


def test_pixels_are_between_black_and_white() -> None:
    images = decoder("masked", 6, 7).reconstruct(100 * torch.randn(4, 3, 4), torch.tensor([0, 1, 2, 0]))
    assert images.shape == (4, 2, 3, 4)
    assert (images >= 0).all()
    assert (images <= 1).all()
