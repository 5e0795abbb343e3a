"""The Efficient-CapsNet module against the equations of its source, written as loops in numpy."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from capsaudit import api
from capsaudit.catalogue import load_variant
from capsaudit.families.efficient_capsnet import DigitCaps as DigitCapsSpec
from capsaudit.models import build
from capsaudit.models.efficient_capsnet import DigitCaps, EfficientCapsNet, squash
from capsaudit.models.tracing import traced_shapes

Array = NDArray[np.float64]


def squash_by_hand(s: Array) -> Array:
    length = math.sqrt(sum(float(x) ** 2 for x in s))
    return (1 - 1 / math.exp(length)) * s / length


def routed_by_hand(capsules: Array, weight: Array, logits: Array) -> Array:
    """[capsules, dim in], [classes, capsules, dim in, dim out], [classes, capsules] → [classes, dim out]."""
    classes, count, _, dimension = weight.shape
    votes = np.array([[capsules[i] @ weight[j, i] for i in range(count)] for j in range(classes)])
    attention = np.array([votes[j] @ votes[j].T for j in range(classes)])  # A = û ûᵀ
    score = attention.sum(2) / math.sqrt(dimension)
    coupling = np.exp(score) / np.exp(score).sum(0) + logits
    return np.array([squash_by_hand(sum(coupling[j, i] * votes[j, i] for i in range(count))) for j in range(classes)])


def test_squash() -> None:
    vector = torch.tensor([3.0, 4.0], dtype=torch.float64)
    expected = (1 - math.exp(-5)) / 5 * vector  # |s| = 5
    assert torch.allclose(squash(vector), expected, rtol=1e-12)


def test_a_zero_vector_stays_zero_and_has_a_finite_gradient() -> None:
    vector = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    squash(vector).sum().backward()
    assert squash(vector).abs().sum() == 0
    assert vector.grad is not None
    assert torch.isfinite(vector.grad).all()


@pytest.mark.parametrize("logits", ["trainable", "zero"])
def test_routing_is_self_attention(logits: str) -> None:
    generator = torch.Generator().manual_seed(0)
    spec = DigitCapsSpec(classes=3, dimension=5, logits=logits)  # type: ignore[arg-type]
    layer = DigitCaps(spec, capsules=4, dimension_in=2, device="cpu").double()
    if layer.logits is not None:
        with torch.no_grad():
            layer.logits.normal_(generator=generator)
    capsules = torch.randn(6, 4, 2, dtype=torch.float64, generator=generator)
    weight = layer.weight.detach().numpy()
    priors = np.zeros((3, 4)) if layer.logits is None else layer.logits.detach().numpy()[..., 0]
    expected = np.array([routed_by_hand(image, weight, priors) for image in capsules.numpy()])
    assert np.allclose(layer(capsules).detach().numpy(), expected, rtol=1e-10)


def test_the_normalisation_is_behind_the_relu() -> None:
    model = build(load_variant("efficient-capsnet").spec)
    assert isinstance(model, EfficientCapsNet)
    assert [name for name, _ in model.features.named_children()][:6] == [
        "conv1",
        "relu1",
        "bn1",
        "conv2",
        "relu2",
        "bn2",
    ]


def test_the_normalisation_has_the_constants_of_keras() -> None:
    """Those of the authors' code: ε = 0.001, and running values that keep 0.99 of what they were."""
    model = build(load_variant("efficient-capsnet").spec)
    assert isinstance(model, EfficientCapsNet)
    for norm in (part for part in model.features if isinstance(part, torch.nn.BatchNorm2d)):
        features = torch.full((2, norm.num_features, 1, 1), 3.0)
        torch.testing.assert_close(
            norm.eval()(features), features / math.sqrt(1 + 0.001)
        )  # at first mean 0, variance 1
        norm.train()(features)
        torch.testing.assert_close(norm.running_mean, torch.full((norm.num_features,), 0.01 * 3))
        torch.testing.assert_close(norm.running_var, torch.full((norm.num_features,), 0.99))


def test_a_capsule_is_eight_neighbouring_channels_of_a_place() -> None:
    model = build(load_variant("efficient-capsnet").spec).double().eval()
    assert isinstance(model, EfficientCapsNet)
    features = torch.rand(2, 128, 9, 9, dtype=torch.float64)
    plain = torch.nn.functional.conv2d(features, model.primary_caps.weight, model.primary_caps.bias, groups=128)
    expected = squash(plain.view(2, 16, 8))
    assert torch.allclose(model.primary_caps(features), expected)


def test_outputs() -> None:
    output = api.build("efficient-capsnet-decoder").eval()(torch.rand(2, 1, 28, 28))
    assert output.scores.shape == (2, 10)
    assert output.capsules.shape == (2, 10, 16)
    assert output.reconstruction.shape == (2, 1, 28, 28)
    assert api.build("efficient-capsnet").eval()(torch.rand(2, 1, 28, 28)).reconstruction is None


def test_shapes_of_a_forward_pass() -> None:
    shapes = traced_shapes(load_variant("efficient-capsnet").spec)
    assert shapes["conv4"] == ((64, 20, 20), (128, 9, 9))  # ⌊(20 − 3)/2⌋ + 1 = 9
    assert shapes["primary_caps"] == ((128, 9, 9), (16, 8))
    assert shapes["digit_caps"] == ((16, 8), (10, 16))


@pytest.mark.parametrize("variant", ["efficient-capsnet", "efficient-capsnet-decoder"])
def test_every_parameter_is_reached_and_updated(variant: str) -> None:
    (run,) = api.train_smoke(load_variant(variant)).runs
    assert run.verdict == "learns"
    assert run.updated == run.counted
