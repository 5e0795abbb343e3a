"""A split of images and labels."""

import torch

from capsaudit.data.dataset import Dataset, Split

TEN = Split(torch.arange(10, dtype=torch.uint8).view(10, 1, 1).expand(10, 2, 3), torch.arange(10))


def test_only_the_digits_of_a_network_with_fewer_classes() -> None:
    found = TEN.of_classes(5)
    assert found.labels.tolist() == [0, 1, 2, 3, 4]
    assert found.images[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert len(TEN.of_classes(10).labels) == 10


def test_a_network_with_one_class_keeps_zeros_alone() -> None:
    assert TEN.of_classes(1).labels.tolist() == [0]


def test_a_dataset_says_what_it_is() -> None:
    data = Dataset(train=TEN, test=TEN.of_classes(3), name="ten grey squares")
    assert (len(data.train.labels), len(data.test.labels), data.name) == (10, 3, "ten grey squares")
