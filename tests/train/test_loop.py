"""The loop: how many steps, which losses, and what accuracy means."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from capsaudit.data.batches import Batch, Batches
from capsaudit.data.dataset import Split
from capsaudit.models.network import Network, Output
from capsaudit.spec import Image
from capsaudit.train.loop import Progress, accuracy, train
from capsaudit.train.losses import Objective
from capsaudit.train.optimiser import Adam
from capsaudit.train.schedule import Schedule


class Means(Network):
    """Scores of two classes from the mean of an image; `factor` spoils the loss where it is not finite."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 2)
        self.factor = factor
        self.modes: list[bool] = []

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Output:
        del targets
        self.modes.append(self.training)
        return Output(self.factor * self.layer(images.flatten(1).mean(1, keepdim=True)))


def batches() -> Iterator[Batch]:
    """Black images are zeros, white ones ones."""
    labels = torch.tensor([[0], [1], [0], [1]])
    images = labels.view(4, 1, 1, 1).float().expand(4, 1, 2, 2)
    while True:
        yield Batch(images, labels, images.unsqueeze(1))


def trained(model: Means, steps: int) -> tuple[list[float], list[Progress], list[int]]:
    seen: list[Progress] = []
    backward: list[int] = []
    losses, seconds = train(
        model,
        batches(),
        steps=steps,
        optimiser=Adam(model.parameters(), Schedule(rate=0.05)),
        objective=Objective(),
        after_backward=lambda: backward.append(len(seen)),
        watch=seen.append,
    )
    assert seconds > 0
    return losses, seen, backward


def test_every_step_has_a_loss_a_backward_pass_and_a_word_to_the_watcher() -> None:
    torch.manual_seed(0)
    losses, seen, backward = trained(Means(), 60)
    assert len(losses) == 60
    assert backward == list(range(60))
    assert [progress.step for progress in seen] == list(range(1, 61))
    assert {progress.steps for progress in seen} == {60}
    assert [progress.loss for progress in seen] == losses
    assert losses[-1] < losses[0]
    assert all(progress.images_per_second for progress in seen)


def test_a_loss_that_is_not_finite_ends_the_run_before_anything_is_changed() -> None:
    model = Means(factor=float("nan"))
    before = [parameter.clone() for parameter in model.parameters()]
    losses, seen, backward = trained(model, 60)
    assert len(losses) == 1
    assert (seen, backward) == ([], [])
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(("weight", "share"), [(10.0, 1.0), (-10.0, 0.0), (0.0, 0.5)])
def test_accuracy_is_the_share_of_images_whose_digit_is_found(weight: float, share: float) -> None:
    """White images are ones. With equal scores the first class is chosen, which is right for one half."""
    model = Means()
    with torch.no_grad():
        model.layer.weight.copy_(torch.tensor([[0.0], [weight]]))
        model.layer.bias.copy_(torch.tensor([abs(weight) / 2 if weight > 0 else -5.0 if weight else 0.0, 0.0]))
    images = torch.tensor([0, 255] * 5, dtype=torch.uint8).view(10, 1, 1).expand(10, 4, 4)
    split = Split(images, torch.tensor([0, 1] * 5))
    image = Image(channels=1, height=4, width=4)
    held_out = Batches(split, image, classes=2, size=3, two=False, shifts=False, generator=torch.Generator())
    assert accuracy(model, held_out) == share
    assert model.modes == [False] * 4  # 3 + 3 + 3 + 1 images, not in training
