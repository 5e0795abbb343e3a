"""The embedded digits."""

import torch

from capsaudit.data.digits import load_digits


def test_embedded_digits_are_always_the_same() -> None:
    one, two = load_digits(), load_digits()
    assert (len(one.train.labels), len(one.test.labels)) == (1437, 360)
    assert torch.equal(one.train.images, two.train.images)
    assert int(one.train.images.max()) == 255
    assert set(one.test.labels.tolist()) == set(range(10))


def test_no_image_is_trained_on_and_tested_on() -> None:
    """1,437 + 360 = 1,797, of which scikit-learn's own 1,797 are the same multiset."""
    from sklearn.datasets import load_digits as load

    found = load_digits()
    both = torch.cat([found.train.images, found.test.images]).flatten(1)
    expected = torch.from_numpy(load().images).mul(255 / 16).round().to(torch.uint8).flatten(1)
    assert both.unique(dim=0, return_counts=True)[1].tolist() == expected.unique(dim=0, return_counts=True)[1].tolist()
    assert torch.equal(both.unique(dim=0), expected.unique(dim=0))


def test_every_digit_is_held_out_about_as_often_as_it_occurs() -> None:
    """Of 360 images in random order about 36 for each digit."""
    assert all(20 <= count <= 52 for count in load_digits().test.labels.bincount().tolist())
