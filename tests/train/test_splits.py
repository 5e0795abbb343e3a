"""What is trained on, what is held out, and images that are too few."""

import pytest
import torch

from capsaudit.catalogue import load_variant
from capsaudit.data.dataset import Dataset, Split
from capsaudit.data.digits import load_digits
from capsaudit.errors import DataError
from capsaudit.train.protocol import Protocol
from capsaudit.train.settings import RunSettings, network_of
from capsaudit.train.splits import checksum, resolved, splits
from tests.train.test_settings import settings


def with_protocol(variant: str = "paper", *, two: bool = False, processes: int = 1, **protocol: int) -> RunSettings:
    return settings(
        network=network_of(load_variant(variant).spec),
        images="multimnist" if two else "digits",
        processes=processes,
        protocol=Protocol(**({"epochs": 1, "shift": 2, "validation": 100} | protocol)),  # type: ignore[arg-type]
    )


def test_the_last_training_images_are_held_out() -> None:
    """1,437 images to train on, 360 to test on."""
    digits = load_digits()
    found = splits(with_protocol(), digits)
    assert found.validation is not None
    assert torch.equal(found.training.labels, digits.train.labels[:1337])
    assert torch.equal(found.validation.labels, digits.train.labels[1337:])
    assert torch.equal(found.test.labels, digits.test.labels)
    assert splits(with_protocol(validation=0), digits).validation is None


def test_a_twelfth_is_held_out_and_shifts_are_the_papers_by_default() -> None:
    """5,000 of MNIST's 60,000, 119 of the 1,437 digits."""
    mnist = Dataset(Split(torch.zeros(60_000, 1, 1), torch.zeros(60_000)), load_digits().test, "")
    assert resolved(Protocol(epochs=1), mnist, two=False) == {"validation": 5000, "shift": 2}
    assert resolved(Protocol(epochs=1), load_digits(), two=True) == {"validation": 119, "shift": 4}
    assert resolved(Protocol(epochs=1, validation=0, shift=0), mnist, two=False) == {"validation": 0, "shift": 0}


def test_held_out_images_are_not_shifted_and_training_images_are() -> None:
    found = splits(with_protocol(shift=3), load_digits())
    assert found.validation is not None
    assert (found.training.random, found.validation.random, found.test.random) == (True, False, False)
    assert found.training.shift == 3


def test_networks_of_five_classes_see_five() -> None:
    found = splits(with_protocol("smallnorb"), load_digits())
    assert set(found.training.labels.tolist()) == set(range(5))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (with_protocol(validation=1437), "validation is 1,437; expected fewer than the 1,437 training images"),
        (with_protocol(batch_size=1338), "batch_size is 1,338; expected at most the 1,337 training images"),
        (with_protocol(batch_size=9, processes=2), "batch_size is 9; expected a multiple of 2 processes"),
    ],
)
def test_settings_that_the_images_do_not_allow(chosen: RunSettings, message: str) -> None:
    with pytest.raises(DataError, match=message):
        splits(chosen, load_digits())


def test_two_digits_need_two_classes() -> None:
    ones = Split(torch.zeros(20, 8, 8, dtype=torch.uint8), torch.ones(20, dtype=torch.long))
    chosen = with_protocol(two=True, validation=5, batch_size=2)
    with pytest.raises(DataError, match="has images of 1 of 10 classes; expected at least 2"):
        splits(chosen, Dataset(ones, ones, ""))


def test_every_image_and_label_counts_in_the_checksum() -> None:
    digits = load_digits()
    found = {checksum(digits)}
    for number in range(2):
        for part in range(2):
            tensors = [[each.clone() for each in split] for split in (digits.train, digits.test)]
            tensors[number][part].view(-1)[-1] += 1
            found.add(checksum(Dataset(Split(*tensors[0]), Split(*tensors[1]), "")))
    assert len(found) == 5
