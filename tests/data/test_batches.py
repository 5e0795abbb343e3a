"""What a network gets to see."""

import torch

from capsaudit.data.batches import Batches
from capsaudit.data.dataset import Split
from capsaudit.data.digits import load_digits
from capsaudit.spec import Image

DOT = Split(torch.zeros(6, 28, 28, dtype=torch.uint8).index_fill(0, torch.arange(6), 0), torch.arange(6))
DOT.images[:, 14, 14] = 255  # one bright pixel, so that a shift can be read off


def batches(
    split: Split, image: Image, *, two: bool = False, shifts: bool = True, seed: int = 0, classes: int = 10
) -> Batches:
    generator = torch.Generator().manual_seed(seed)
    return Batches(split, image, classes=classes, size=50, two=two, shifts=shifts, generator=generator)


def test_training_images_are_shifted_by_up_to_two_pixels_and_every_shift_occurs() -> None:
    stream = batches(DOT, Image(channels=1, height=28, width=28)).forever()
    places = torch.cat([next(stream).images for _ in range(20)]).nonzero()
    assert set(map(tuple, places[:, 2:].tolist())) == {(14 + y, 14 + x) for y in range(-2, 3) for x in range(-2, 3)}


def test_test_images_are_not_shifted() -> None:
    (batch,) = batches(DOT, Image(channels=1, height=28, width=28), shifts=False).one_pass()
    assert batch.images.nonzero()[:, 2:].unique(dim=0).tolist() == [[14, 14]]
    assert batch.targets.flatten().tolist() == list(range(6))


def test_shifts_pad_with_zeros() -> None:
    white = Split(torch.full((6, 28, 28), 255, dtype=torch.uint8), torch.arange(6))
    images = next(batches(white, Image(channels=1, height=28, width=28)).forever()).images
    sums = images.sum((1, 2, 3)).tolist()
    assert set(sums) <= {float((28 - y) * (28 - x)) for y in range(3) for x in range(3)}
    assert len(set(sums)) > 1


def test_two_digits_of_different_classes_each_shifted_by_up_to_four_pixels() -> None:
    stream = batches(DOT, Image(channels=1, height=36, width=36), two=True).forever()
    seen = set()
    for _ in range(40):
        batch = next(stream)
        assert batch.targets.shape == (50, 2)
        assert (batch.targets[:, 0] != batch.targets[:, 1]).all()
        assert torch.equal(batch.images, batch.wanted.sum(1).clamp(max=1))
        seen |= set(map(tuple, batch.wanted.flatten(0, 1).nonzero()[:, 2:].tolist()))
    # the 28×28 digit stands in the middle of 36×36 with its pixel (14, 14) at (18, 18)
    assert seen == {(18 + y, 18 + x) for y in range(-4, 5) for x in range(-4, 5)}


def test_the_same_seed_gives_the_same_images_and_another_seed_others() -> None:
    digits, image = load_digits().train, Image(channels=1, height=36, width=36)
    first, again, other = (next(batches(digits, image, two=True, seed=seed).forever()).images for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_pass_shows_the_same_two_digits() -> None:
    """Accuracy before and after training is that on the same images."""
    found = batches(load_digits().test, Image(channels=1, height=36, width=36), two=True, shifts=False)
    first, again = (list(found.one_pass()) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.targets, other.targets)


def test_an_epoch_depends_on_the_seed_and_its_number_alone_from_any_place_on() -> None:
    digits, image = load_digits().train, Image(channels=1, height=36, width=36)
    first, other = (batches(digits, image, two=True, seed=seed) for seed in (1, 2))
    whole = list(first.epoch(7, 3))
    next(other.forever())
    rest = list(other.epoch(7, 3, start=20))
    assert len(whole) == len(digits.labels) // 50 == len(rest) + 20
    for one, two in zip(whole[20:], rest, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, two, strict=True))
    for changed in ((8, 3), (7, 4)):
        assert not torch.equal(next(first.epoch(*changed)).images, whole[0].images)


def test_an_epoch_shows_no_image_twice() -> None:
    count = 120
    split = Split(torch.arange(count, dtype=torch.uint8).view(count, 1, 1), torch.zeros(count, dtype=torch.long))
    found = batches(split, Image(channels=1, height=1, width=1))
    found.random = False
    seen = [round(value * 255) for batch in found.epoch(0, 1) for value in batch.images.flatten().tolist()]
    assert len(seen) == len(set(seen)) == 100


def test_shifts_may_be_wider() -> None:
    image = Image(channels=1, height=28, width=28)
    generator = torch.Generator().manual_seed(0)
    wide = Batches(DOT, image, classes=10, size=50, two=False, shifts=True, generator=generator, shift=5)
    stream = wide.forever()
    places = torch.cat([next(stream).images for _ in range(40)]).nonzero()
    assert set(places[:, 2].tolist()) == set(range(9, 20))


def test_other_shapes_are_resized_and_repeated_over_the_channels() -> None:
    batch = next(batches(load_digits().train, Image(channels=3, height=24, width=20)).forever())
    assert batch.images.shape == (50, 3, 24, 20)
    assert torch.equal(batch.images[:, 0], batch.images[:, 2])
    assert 0 <= batch.images.min() <= batch.images.max() <= 1


def test_a_network_of_five_classes_sees_five_digits() -> None:
    found = batches(load_digits().train, Image(channels=1, height=8, width=8), classes=5)
    assert set(next(found.forever()).targets.flatten().tolist()) == set(range(5))


def test_a_pass_meets_every_image_once() -> None:
    found = batches(load_digits().test, Image(channels=1, height=8, width=8), shifts=False)
    assert sum(len(batch.images) for batch in found.one_pass()) == len(found) == 360
