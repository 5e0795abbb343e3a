"""Alternatives as their formulas say, by hand."""

import math

import pytest
import torch

from capsaudit.parity.capsnet.stages import AGREEMENTS, SOFTMAXES, SQUASHES

LENGTH_5 = torch.tensor([3.0, -4.0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("eq. 1", 25 / 26),
        ("no squash", 5),
        ("|s|²/(0.5 + |s|²) · s/|s|", 25 / 25.5),
        ("(1 − e^−|s|) · s/|s|", 1 - math.exp(-5)),
        ("eq. 1 twice", (25 / 26) ** 2 / (1 + (25 / 26) ** 2)),
        ("eq. 1 after a ReLU", 9 / 10),
    ],
)
def test_squashes(name: str, length: float) -> None:
    assert SQUASHES[name](LENGTH_5, -1).norm().item() == pytest.approx(length)


def test_no_squash_gives_nan_at_a_zero_vector() -> None:
    assert all(torch.equal(function(torch.zeros(2), -1), torch.zeros(2)) for function in SQUASHES.values())


def test_softmaxes_sum_to_one_over_their_axis() -> None:
    logits = torch.randn(2, 3, 4)
    for name, axis in (("over the batch", 0), ("over the inputs", 1), ("over the classes", 2)):
        assert torch.allclose(SOFTMAXES[name](logits).sum(axis), torch.ones(()))
    equal = SOFTMAXES["over the classes and none of the above"](torch.zeros(1, 1, 4))
    assert torch.allclose(equal, torch.full((1, 1, 4), 1 / 5))


def test_agreements() -> None:
    logits, agreement = torch.ones(2, 1, 1), torch.tensor([2.0, 4.0]).view(2, 1, 1)
    made = {name: update(logits, agreement).flatten().tolist() for name, update in AGREEMENTS.items()}
    assert made == {
        "added, each image by itself": [3, 5],
        "added, averaged over the batch": [4, 4],
        "added, summed over the batch": [7, 7],
        "replaces the logits": [2, 4],
    }
