"""What training runs are compared with: the shipped networks can be built, and the checksums are those of the images."""

from pathlib import Path

from capsaudit.data.dataset import Dataset
from capsaudit.data.digits import load_digits
from capsaudit.data.mnist import load_mnist
from capsaudit.reporting.training.stated import KnownImages, Network, stated_data
from capsaudit.train.splits import checksum


def test_the_plan_names_shipped_networks() -> None:
    """Once each: no two planned runs are the same one."""
    planned = [(each.words, each.epochs) for each in stated_data().planned]
    assert len(set(planned)) == len(planned) == 5
    assert all(each.spec for each in stated_data().planned)


def test_networks_of_stated_errors_are_shipped() -> None:
    """The paper's table: three iterations or one, with the decoder or without it."""
    paper = [each for each in stated_data().stated if each.source.startswith("Sabour")]
    assert {each.error for each in paper} == {"0.25 ± 0.005", "0.29 ± 0.011", "0.34 ± 0.032", "0.35 ± 0.036", "0.39"}
    for each in paper[:-1]:
        assert each.variant is not None
        spec = Network(variant=each.variant, settings=each.settings).load().spec
        assert f"{spec.digit_caps.iterations} iteration" in each.network  # type: ignore[attr-defined]
        assert ("without" in each.network) == (spec.decoder is None)  # type: ignore[attr-defined]


def expect_same(known: KnownImages, dataset: Dataset) -> None:
    assert known.sha256 == checksum(dataset)
    assert (known.training_images, known.test_images) == (len(dataset.train.labels), len(dataset.test.labels))
    assert known.classes == len(dataset.test.labels.unique())


def test_the_digits_are_known_by_their_checksum() -> None:
    expect_same(stated_data().data[1], load_digits())


def test_mnist_is_known_by_its_checksum(mnist_folder: Path) -> None:
    expect_same(stated_data().mnist, load_mnist(mnist_folder))
