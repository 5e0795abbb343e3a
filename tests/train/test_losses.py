"""The losses, against what the article says of them and what the paper defines."""

import pytest
import torch

from capsaudit.train.losses import correct, margin_loss, reconstruction_loss


def loss_of(length: float, *, present: float) -> float:
    return float(
        margin_loss(torch.tensor([[length]], dtype=torch.float64), torch.tensor([[present]], dtype=torch.float64))
    )


@pytest.mark.parametrize("length", [0.9, 0.95, 1.0])
def test_zero_when_the_right_capsule_is_longer_than_0_9(length: float) -> None:
    assert loss_of(length, present=1) == 0


@pytest.mark.parametrize("length", [0.0, 0.05, 0.1])
def test_zero_when_a_wrong_capsule_is_shorter_than_0_1(length: float) -> None:
    assert loss_of(length, present=0) == 0


def test_not_zero_just_beyond() -> None:
    assert loss_of(0.89, present=1) == pytest.approx(0.01**2)
    assert loss_of(0.11, present=0) == pytest.approx(0.5 * 0.01**2)


def test_lambda_halves_the_loss_of_absent_classes() -> None:
    assert loss_of(0.5, present=1) == pytest.approx(0.4**2)
    assert loss_of(0.5, present=0) == pytest.approx(0.5 * 0.4**2)


def test_ten_values_are_added_and_images_averaged() -> None:
    lengths = torch.full((4, 10), 0.3, dtype=torch.float64)
    present = torch.zeros(4, 10, dtype=torch.float64)
    present[:, 2] = 1
    # 0.6² for the right one, nine times 0.5 · 0.2²
    assert float(margin_loss(lengths, present)) == pytest.approx(0.36 + 9 * 0.5 * 0.04)


def test_reconstruction_is_a_sum_over_pixels_not_a_mean() -> None:
    images = torch.zeros(3, 1, 28, 28)
    assert float(reconstruction_loss(torch.ones_like(images), images)) == pytest.approx(0.0005 * 784)
    # the article's "Euclidean distance" would be its root: 0.0005 · 28
    assert float(reconstruction_loss(torch.ones_like(images), images)) != pytest.approx(0.0005 * 28)


def test_an_image_of_two_digits_counts_when_both_are_found() -> None:
    scores = torch.tensor([[0.9, 0.1, 0.8], [0.9, 0.8, 0.1], [0.1, 0.9, 0.8]])
    targets = torch.tensor([[2, 0], [2, 0], [1, 2]])
    assert correct(scores, targets) == 2
    assert correct(scores, targets[:, :1]) == 1  # of the longest capsules 0, 0, 1 only the third is a first target
