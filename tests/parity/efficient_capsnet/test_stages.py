"""Alternatives as their formulas say, by hand."""

import math

import pytest
import torch

from capsaudit.parity.efficient_capsnet.stages import (
    LOGITS,
    SOFTMAXES,
    SQUASHES,
    Norm,
    activated,
    agreements,
    attention,
)


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("(1 − e^−|s|) · s/|s|", 1 - math.exp(-5)),
        ("|s|²/(1 + |s|²) · s/|s|", 25 / 26),
        ("no squash", 5),
        ("|s|²/(0.5 + |s|²) · s/|s|", 25 / 25.5),
        ("(1 − e^−|s|) · s/|s|, twice", 1 - math.exp(math.exp(-5) - 1)),
        ("(1 − e^−|s|) · s/|s|, after a ReLU", 1 - math.exp(-3)),
    ],
)
def test_squashes(name: str, length: float) -> None:
    assert SQUASHES[name](torch.tensor([3.0, -4.0]), -1).norm().item() == pytest.approx(length)


def test_the_attention_is_the_sum_of_a_row_of_a() -> None:
    votes = torch.randn(2, 3, 4, 5)
    by_class = votes.transpose(1, 2)
    assert torch.allclose(attention(votes), (by_class @ by_class.mT).sum(-1).transpose(1, 2), atol=1e-5)


def test_divisors_of_equal_sizes_are_told_once() -> None:
    """16 capsules of 8, classes of 16: the root of 16 is that of the dimension, which comes first."""
    assert agreements(16, 8, 16) == pytest.approx(
        {"divided by √16": 4, "divided by √8": 8**0.5, "not divided": 1, "divided by 16": 16, "divided by 8": 8}
        | {"divided by 16·√16": 64}
    )
    assert next(iter(agreements(4, 8, 16))) == "divided by √16"


@pytest.mark.parametrize(("name", "axis"), [("over the batch", 0), ("over the inputs", 1), ("over the classes", 2)])
def test_softmaxes_sum_to_one_over_their_axis(name: str, axis: int) -> None:
    assert torch.allclose(SOFTMAXES[name](torch.randn(2, 3, 4)).sum(axis), torch.ones(()))


def test_where_the_log_priors_are_added() -> None:
    """Two classes of agreement 0, log priors 0 and ln 3: 1/2 and 1/2 + ln 3; 1/4 and 3/4; 1/2 and 1/2."""
    agreement, stored = torch.zeros(1, 1, 2), torch.tensor([[0.0, math.log(3)]])
    made = {
        name: of(SOFTMAXES["over the classes"], agreement, stored).flatten().tolist() for name, of in LOGITS.items()
    }
    assert made == {
        "stored, added behind the softmax": pytest.approx([0.5, 0.5 + math.log(3)]),
        "stored, added before the softmax": pytest.approx([0.25, 0.75]),
        "not used": pytest.approx([0.5, 0.5]),
    }


def test_ways_that_are_the_same_have_one_name() -> None:
    """Without an activation a normalisation is neither behind nor before it; without running statistics it has none."""
    one = torch.ones(1)
    stored, computed = activated(Norm(one, one, one, one)), activated(Norm(one, one))
    assert [name for name in stored if name.startswith("no activation")] == [
        "no activation, BatchNorm",
        "no activation, BatchNorm with the statistics of the batch",
        "no activation, InstanceNorm",
        "no activation, no normalisation",
    ]
    assert set(stored) - set(computed) == {
        name for name in stored if ", BatchNorm" in name and "statistics" not in name
    }
