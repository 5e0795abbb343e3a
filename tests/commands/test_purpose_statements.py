"""Experiments with the margin loss, and that a loss for which λ served another purpose is seen."""

import pytest
import torch
from torch import Tensor

from capsaudit.commands.purpose_statements import EXPERIMENTS
from capsaudit.train import losses


def test_absent_capsules_shrink_half_as_fast() -> None:
    """Nine absent ones at 0.5: 9·2·(0.5 − 0.1) = 7.2 without λ, half of it with λ = 0.5."""
    served, why = EXPERIMENTS["less shrinking of all capsules"]()
    assert served
    assert why.values["shrinking"] == pytest.approx(3.6)
    assert why.values["without"] == pytest.approx(7.2)


def test_with_a_weight_of_1_nothing_shrinks_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "DOWN_WEIGHT", 1.0)
    served, why = EXPERIMENTS["less shrinking of all capsules"]()
    assert not served
    assert why.values["shrinking"] == pytest.approx(7.2)


def test_the_loss_is_finite_without_lambda() -> None:
    """The largest is a loss, of a right capsule of length 0 and nine wrong ones of length 1: (0.9² + 0.5·9·0.9²)/0.5 = 8.91."""
    served, why = EXPERIMENTS["numerical stability"]()
    assert (served, why.code) == (False, "stable")
    assert why.values["largest"] == pytest.approx(8.91)


def test_a_loss_that_is_not_finite_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def unstable(lengths: Tensor, present: Tensor) -> Tensor:
        return (present / lengths + (1 - present) * lengths).sum()  # infinite at a length of 0

    monkeypatch.setattr(losses, "margin_loss", unstable)
    served, why = EXPERIMENTS["numerical stability"]()
    assert (served, why.code) == (True, "not stable")


def test_a_gradient_that_is_not_finite_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "margin_loss", lambda lengths, _: torch.sqrt(lengths).sum())  # 1/(2√0)
    assert EXPERIMENTS["numerical stability"]()[0]
