"""Evaluation, counted by hand on a network whose scores and reconstructions are given."""

import pytest
import torch
from torch import Tensor, nn

from capsaudit.data.batches import Batches
from capsaudit.data.dataset import Split
from capsaudit.errors import CapsauditError
from capsaudit.models import Network, Output
from capsaudit.spec import Image
from capsaudit.train.evaluation import measure


class _Zeros(nn.Module):
    def reconstruct(self, capsules: Tensor, _classes: Tensor) -> Tensor:
        return torch.zeros(len(capsules), 1, 8, 8)


class _Given(Network):
    """Gives these scores, batch after batch; its decoder makes images of zeros."""

    def __init__(self, scores: Tensor, *, decodes: bool = True) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.scores, self.place = scores, 0
        if decodes:
            self.decoder = _Zeros()  # type: ignore[assignment]

    def forward(self, images: Tensor, _targets: Tensor) -> Output:
        scores = self.scores[self.place : self.place + len(images)]
        self.place += len(images)
        capsules = scores.unsqueeze(-1)
        return Output(scores, capsules, torch.zeros_like(images) if self.decoder is not None else None)


def batches(labels: list[int], *, two: bool = False) -> Batches:
    """Images of 8×8, or two of 4×4 overlaid, in which one pixel is white."""
    size = 4 if two else 8
    images = torch.zeros(len(labels), size, size, dtype=torch.uint8)
    images[:, 1, 1] = 255
    image = Image(channels=1, height=8, width=8)
    generator = torch.Generator().manual_seed(0)
    split = Split(images, torch.tensor(labels))
    return Batches(split, image, classes=3, size=2, two=two, shifts=False, generator=generator, shift=2)


def test_single_digits() -> None:
    """Digits 0, 1, 2, taken for 0, 2, 2: one of three is wrong. One white pixel where there should be none is an error of 1."""
    found = measure(_Given(torch.tensor([[9.0, 1, 2], [3, 4, 5], [0, 1, 2]])), batches([0, 1, 2]), "it")
    assert found.error == found.digit_error == pytest.approx(1 / 3)
    assert found.confusion is not None
    assert found.confusion.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert found.reconstruction_error == 1


def test_two_digits_by_both_metrics() -> None:
    """In two of four images both digits are found, in the others one: half of the images are wrong, a quarter of the digits is missed."""
    given = batches([0, 1, 0, 1], two=True)
    assert all(sorted(pair) == [0, 1] for batch in given.one_pass() for pair in batch.targets.tolist())
    scores = torch.tensor([[3.0, 2, 1], [2, 3, 1], [3, 1, 2], [1, 3, 2]])
    found = measure(_Given(scores), given, "it")
    assert (found.error, found.digit_error, found.confusion) == (0.5, 0.25, None)
    assert found.reconstruction_error == 1


def test_without_a_decoder_nothing_is_reconstructed() -> None:
    given = _Given(torch.eye(3), decodes=False)
    assert measure(given, batches([0, 1, 2]), "it").reconstruction_error is None


def test_scores_that_are_not_finite_are_no_error_rate() -> None:
    with pytest.raises(CapsauditError, match="it: the scores of the classes are not finite"):
        measure(_Given(torch.full((3, 3), torch.nan)), batches([0, 1, 2]), "it")


def test_progress_counts_images() -> None:
    counts: list[int] = []
    measure(_Given(torch.eye(3)), batches([0, 1, 2]), "it", counts.append)
    assert counts == [2, 1]
