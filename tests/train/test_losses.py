"""The losses, against what the article says of them and what the paper defines."""

import math

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import Tensor

from capsaudit.data.batches import Batch
from capsaudit.models.fully_connected import Decoder
from capsaudit.models.network import Network, Output
from capsaudit.spec import Decoder as DecoderSpec
from capsaudit.spec import Image
from capsaudit.train.losses import Objective, correct, margin_loss, present, reconstruction_loss


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


def test_shapes_are_checked_under_test() -> None:
    """The annotations are not only words: losses of other images than there are targets would be noticed."""
    with pytest.raises(TypeCheckError):
        margin_loss(torch.zeros(4, 10), torch.zeros(3, 10))


def test_the_right_classes_are_one_and_the_others_zero() -> None:
    found = present(torch.tensor([[2], [0]]), torch.zeros(2, 3))
    assert found.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert present(torch.tensor([[2, 0]]), torch.zeros(1, 3)).tolist() == [[1, 0, 1]]


class Fixed(Network):
    """Capsules that are given, whatever the image."""

    def __init__(self, capsules: Tensor, *, decoder: bool) -> None:
        super().__init__()
        self.capsules = capsules
        if decoder:
            image = Image(channels=1, height=1, width=1)
            knobs = DecoderSpec(hidden=(), input="selected")
            self.decoder = Decoder(knobs, classes=2, dimension=1, image=image, device="cpu")
            for parameter in self.decoder.parameters():
                torch.nn.init.zeros_(parameter)  # so that every pixel is sigmoid(0) = 0.5

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Output:
        del images
        found = None if self.decoder is None or targets is None else self.decoder.reconstruct(self.capsules, targets)
        return Output(self.capsules.norm(dim=-1), self.capsules, found)


def batch(*targets: int) -> Batch:
    """One white pixel; of two digits, one white and one black."""
    wanted = torch.tensor([1.0, 0.0][: len(targets)]).view(1, -1, 1, 1, 1)
    return Batch(wanted[:, 0], torch.tensor([targets]), wanted)


@pytest.mark.parametrize(
    ("objective", "decoder", "targets", "expected"),
    [
        # lengths 0.5 and 0.3; margin (0.9 − 0.5)² + 0.5·(0.3 − 0.1)² = 0.18; a pixel of 0.5 in the place of 1 or 0: 0.0005·0.25
        (Objective(), True, (0,), 0.18 + 0.000125),
        (Objective(), False, (0,), 0.18),
        (Objective(reconstruction=False), True, (0,), 0.18),
        (Objective(margin=False), True, (0,), 0.000125),
        (Objective(margin=False, reconstruction=False), True, (0,), 0.0),
        # two digits: (0.9 − 0.5)² + (0.9 − 0.3)² = 0.52, and each of them is reconstructed
        (Objective(), True, (0, 1), 0.52 + 2 * 0.000125),
    ],
)
def test_the_loss_adds_what_the_objective_counts(
    objective: Objective, decoder: bool, targets: tuple[int, ...], expected: float
) -> None:
    model = Fixed(torch.tensor([[[0.5], [0.3]]]), decoder=decoder)
    loss, scores = objective.loss(model, batch(*targets))
    assert float(loss.detach()) == pytest.approx(expected, abs=1e-7)
    torch.testing.assert_close(scores, torch.tensor([[0.5, 0.3]]))


class Logits(Network):
    """A network without capsules."""

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Output:
        del images, targets
        return Output(torch.zeros(1, 4))


def test_a_network_without_capsules_is_trained_by_cross_entropy() -> None:
    """Four classes alike: −log(1/4), whether one of them is right or two share the target."""
    for targets in ((1,), (1, 2)):
        loss, _ = Objective().loss(Logits(), batch(*targets))
        assert float(loss) == pytest.approx(math.log(4))
