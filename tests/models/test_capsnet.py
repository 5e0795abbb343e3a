"""The CapsNet's mathematics in float64, against the plain implementation, for every interpretation."""

from itertools import product

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from capsaudit.families import impossible
from capsaudit.families.capsnet import CapsNet as CapsNetSpec
from capsaudit.families.capsnet import DigitCaps, PrimaryCaps
from capsaudit.models import build
from capsaudit.models.capsnet import CapsNet
from capsaudit.spec import Convolution, Decoder, Image, Spec
from tests.models import plain
from tests.strategies import capsnets

SMALL_DIGITS = DigitCaps(
    classes=3,
    dimension=4,
    shared_w="none",
    bias=False,
    logits="zero",
    coupling="computed",
    iterations=3,
    none_of_the_above=False,
    gradient="all",
)


def small(**digit: object) -> CapsNetSpec:
    """A network small enough for loops: 2×9×8, 3 channels, 2 types of 3-D on a 2×2 grid, 3 classes of 4-D."""
    knobs = msgspec.structs.asdict(SMALL_DIGITS) | digit
    return CapsNetSpec(
        image=Image(channels=2, height=9, width=8),
        conv1=Convolution(channels=3, kernel=3, stride=1, padding="valid", bias=True),
        primary_caps=PrimaryCaps(types=2, dimension=3, kernel=3, stride=2, padding="valid", bias=True),
        digit_caps=DigitCaps(**knobs),
        decoder=Decoder(hidden=(5, 6), input="masked"),
    )


def assert_equals_plain(spec: CapsNetSpec) -> None:
    torch.manual_seed(0)
    model = build(spec).double().eval()
    assert isinstance(model, CapsNet)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()  # also logits and coupling, which start out uniform
    images = torch.randn(3, spec.image.channels, spec.image.height, spec.image.width, dtype=torch.float64)
    targets = torch.arange(3) % spec.digit_caps.classes
    output = model(images, targets)
    weights = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    for n in range(3):
        lengths, reconstruction = plain.capsnet(spec, weights, images[n].numpy(), int(targets[n]))
        np.testing.assert_allclose(output.scores[n].detach(), lengths, rtol=1e-10, atol=1e-12)
        if reconstruction is not None:
            np.testing.assert_allclose(output.reconstruction[n].detach(), reconstruction, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("shared_w", "bias", "logits", "coupling"),
    list(product(["none", "grid", "all"], [False, True], ["zero", "frozen", "trainable"], ["computed", "trainable"])),
)
def test_every_interpretation_equals_the_plain_one(shared_w: str, bias: bool, logits: str, coupling: str) -> None:
    assert_equals_plain(small(shared_w=shared_w, bias=bias, logits=logits, coupling=coupling))


@pytest.mark.parametrize("none_of_the_above", [False, True])
@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_iterations_and_none_of_the_above_equal_the_plain_ones(iterations: int, none_of_the_above: bool) -> None:
    assert_equals_plain(small(iterations=iterations, none_of_the_above=none_of_the_above, logits="trainable"))


@settings(max_examples=100, deadline=None)
@given(capsnets().filter(lambda spec: impossible(spec) is None))
def test_random_networks_equal_the_plain_ones(spec: Spec) -> None:
    assert isinstance(spec, CapsNetSpec)
    assert_equals_plain(spec)


def test_an_image_does_not_depend_on_its_batch() -> None:
    model = build(small()).double()
    images = torch.randn(4, 2, 9, 8, dtype=torch.float64)
    together, alone = model(images).scores, torch.cat([model(image[None]).scores for image in images])
    torch.testing.assert_close(together, alone)


def test_first_coupling_starts_uniform_and_changes_nothing_yet() -> None:
    """The article's network computes what the paper's does until c and b have been trained."""
    torch.manual_seed(0)
    paper, article = build(small()), build(small(logits="trainable", coupling="trainable"))
    article.load_state_dict(paper.state_dict(), strict=False)
    images = torch.rand(2, 2, 9, 8)
    torch.testing.assert_close(paper(images).scores, article(images).scores)


@pytest.mark.parametrize(("iterations", "reached"), [(1, False), (2, True), (3, True)])
def test_gradients_reach_both_b_and_c(iterations: int, reached: bool) -> None:
    """c is the first coupling, b the prior of the later ones: with one iteration nothing depends on b."""
    model = build(small(logits="trainable", coupling="trainable", iterations=iterations)).double()
    model(torch.rand(2, 2, 9, 8, dtype=torch.float64)).scores.square().sum().backward()
    gradients: dict[str, Tensor | None] = {
        name: p.grad for name, p in model.get_submodule("digit_caps").named_parameters()
    }
    assert gradients["coupling"] is not None
    assert gradients["coupling"].abs().sum() > 0
    assert (gradients["logits"] is not None and bool(gradients["logits"].abs().sum() > 0)) is reached


def test_without_targets_the_longest_capsule_is_decoded() -> None:
    model = build(small()).eval()
    images = torch.rand(5, 2, 9, 8)
    free = model(images)
    torch.testing.assert_close(free.reconstruction, model(images, free.scores.argmax(-1)).reconstruction)
    assert not torch.allclose(free.reconstruction, model(images, (free.scores.argmax(-1) + 1) % 3).reconstruction)
