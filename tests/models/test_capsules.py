"""The two capsule layers: how channels become capsules, and how W starts."""

import pytest
import torch
from msgspec.structs import replace

from capsaudit.catalogue import load_variant
from capsaudit.families import capsnet
from capsaudit.models.capsules import DigitCaps, PrimaryCaps
from capsaudit.models.routing import squash


def digit_caps(**knobs: object) -> DigitCaps:
    """Two types on a grid of 2×2: eight capsules of 3 values, to three classes of 4."""
    spec = load_variant("paper").spec
    assert isinstance(spec, capsnet.CapsNet)
    digit = replace(spec.digit_caps, classes=3, dimension=4, **knobs)
    return DigitCaps(digit, types=2, capsules=8, dimension_in=3, device="cpu")


def test_capsules_are_cut_from_the_channels_of_one_place() -> None:
    """Channel c of type t is c = t·dimension + d; the place changes slowest. A kernel of 1 passes its input on."""
    spec = capsnet.PrimaryCaps(types=2, dimension=3, kernel=1, stride=1, padding="valid", bias=False)
    layer = PrimaryCaps(spec, channels_in=6, device="cpu")
    with torch.no_grad():
        layer.weight.copy_(torch.eye(6).view(6, 6, 1, 1))
    images = torch.arange(6 * 4, dtype=torch.float32).view(1, 6, 2, 2) / 24
    capsules = layer(images)
    assert capsules.shape == (1, 8, 3)
    for row in range(2):
        for column in range(2):
            for kind in range(2):
                expected = squash(images[0, 3 * kind : 3 * kind + 3, row, column])
                torch.testing.assert_close(capsules[0, (row * 2 + column) * 2 + kind], expected)


@pytest.mark.parametrize(("shared", "shape"), [("none", (8, 3, 3, 4)), ("grid", (2, 3, 3, 4)), ("all", (3, 3, 4))])
def test_w_has_a_matrix_for_each_capsule_each_type_or_each_class(shared: str, shape: tuple[int, ...]) -> None:
    layer = digit_caps(shared_w=shared)
    assert layer.weight.shape == shape
    assert layer.matrices.dim() == 4


@pytest.mark.parametrize("shared", ["none", "grid", "all"])
def test_w_lies_in_memory_as_the_kernel_reads_it(shared: str) -> None:
    """[classes, dim out, dim in, matrices], and nothing else is kept in memory for it."""
    layer = digit_caps(shared_w=shared)
    assert layer.matrices.permute(1, 3, 2, 0).is_contiguous()
    assert layer.weight.untyped_storage().nbytes() == 4 * layer.weight.numel()


@pytest.mark.parametrize("shared", ["none", "grid", "all"])
@pytest.mark.parametrize("logits", ["zero", "trainable"])
def test_on_a_processor_the_kernel_computes_what_the_plain_form_computes(shared: str, logits: str) -> None:
    torch.manual_seed(0)
    layer = digit_caps(shared_w=shared, logits=logits, bias=True).double()
    capsules = torch.randn(5, 8, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(capsules), layer.plain(capsules))


def test_capsules_of_one_type_share_their_w_over_the_grid() -> None:
    """Capsule i has the type i mod 2; û = u W of its type."""
    layer = digit_caps(shared_w="grid")
    capsules = torch.randn(1, 8, 3)
    votes = layer.votes(capsules)
    for i in range(8):
        for j in range(3):
            torch.testing.assert_close(votes[0, i, j], capsules[0, i] @ layer.weight[i % 2, j])


def test_parameters_start_as_the_released_code_has_them() -> None:
    torch.manual_seed(0)
    layer = digit_caps(bias=True, logits="trainable", coupling="trainable", none_of_the_above=True)
    assert layer.weight.abs().max() <= 0.2  # twice the deviation of 0.1
    assert 0.05 < layer.weight.std() < 0.1  # cut off at two deviations: 0.088
    assert layer.bias is not None
    assert layer.logits is not None
    assert layer.coupling is not None
    assert torch.equal(layer.bias, torch.full((3, 4), 0.1))
    assert torch.equal(layer.logits, torch.zeros(8, 3))
    assert torch.equal(layer.coupling, torch.full((8, 3), 1 / 4))  # three classes and none of the above


@pytest.mark.parametrize(("logits", "trained"), [("zero", None), ("frozen", False), ("trainable", True)])
def test_logits_are_there_and_trained_as_the_spec_says(logits: str, trained: bool | None) -> None:
    found = digit_caps(logits=logits).logits
    assert (None if found is None else found.requires_grad) == trained
