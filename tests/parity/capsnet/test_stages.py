"""Alternatives as their formulas say, by hand."""

import math

import pytest
import torch

from capsaudit.parity.capsnet.stages import AGREEMENTS, SOFTMAXES, SQUASHES, Iteration

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
    """Two images, one capsule, one class, one dimension: û = 2 and 4, s = 3, v = −1, so that û · v = −2 and −4, of mean −3 and sum −6;
    û · s = 6 and 12; the cosine of numbers of opposite sign is −1.
    """
    votes = torch.tensor([2.0, 4.0]).view(2, 1, 1, 1)
    now = Iteration(torch.ones(2, 1, 1), votes, torch.full((2, 1, 1), 3.0), torch.full((2, 1, 1), -1.0))
    assert {name: update(now).flatten().tolist() for name, update in AGREEMENTS.items()} == {
        "added, each image by itself": [1 - 2, 1 - 4],
        "added, averaged over the batch": [1 - 3, 1 - 3],
        "added, summed over the batch": [1 - 6, 1 - 6],
        "replaces the logits": [-2, -4],
        "added, of s in place of v": [1 + 6, 1 + 12],
        "added, the cosine of û and v": [0, 0],
    }
