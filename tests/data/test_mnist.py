"""MNIST: the real files, damaged ones, and fetching from real servers on this machine."""

import errno
import functools
import gzip
import hashlib
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsaudit.data import mnist
from capsaudit.data.mnist import SHA256, fetch_mnist, load_mnist
from capsaudit.errors import DataError
from tests.data.idx_files import small_mnist

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def test_the_real_files(mnist_folder: Path) -> None:
    found = load_mnist(mnist_folder)
    assert found.train.images.shape == (60_000, 28, 28)
    assert found.test.images.shape == (10_000, 28, 28)
    assert found.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    # how often each digit occurs in the training set, as published with the data set
    assert found.train.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_checksums_are_those_of_the_real_unpacked_bytes(mnist_folder: Path) -> None:
    for name, checksum in SHA256.items():
        content = gzip.decompress((mnist_folder / f"{name}.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == checksum


@pytest.mark.parametrize("packed", [False, True])
def test_files_gzipped_or_not(tmp_path: Path, packed: bool) -> None:
    found = load_mnist(small_mnist(tmp_path, packed=packed))
    assert len(found.train.labels) == 40
    assert found.train.images[3].sum() == 20 * 255


def truncated(folder: Path) -> None:
    (folder / IMAGES).write_bytes((folder / IMAGES).read_bytes()[:-1])


def swapped(folder: Path) -> None:
    images, labels = (folder / IMAGES).read_bytes(), (folder / LABELS).read_bytes()
    (folder / IMAGES).write_bytes(labels)
    (folder / LABELS).write_bytes(images)


def empty(folder: Path) -> None:
    (folder / IMAGES).write_bytes(b"")


def without_images(folder: Path) -> None:
    (folder / IMAGES).write_bytes(bytes([0, 0, 8, 3]) + bytes(12))


def corrupt_archive(folder: Path) -> None:
    packed = bytearray(gzip.compress((folder / IMAGES).read_bytes()))
    packed[len(packed) // 2] ^= 255
    (folder / IMAGES).write_bytes(bytes(packed))


def cut_archive(folder: Path) -> None:
    (folder / IMAGES).write_bytes(gzip.compress((folder / IMAGES).read_bytes())[:-9])


def other_labels(folder: Path) -> None:
    other = small_mnist(folder / "other", train=39)
    (folder / LABELS).write_bytes((other / LABELS).read_bytes())


def label_of_ten(folder: Path) -> None:
    (folder / LABELS).write_bytes((folder / LABELS).read_bytes()[:-1] + b"\x0a")


def huge_header(folder: Path) -> None:
    (folder / IMAGES).write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncated, "declares 40×28×28 bytes after its header and has 31,359"),
        (swapped, "contains labels; expected images. Are two files swapped?"),
        (empty, "is no IDX file"),
        (without_images, "is empty: it contains no images"),
        (corrupt_archive, "is a damaged archive"),
        (cut_archive, "is a damaged archive"),
        (other_labels, "40 images in train-images-idx3-ubyte, but 39 labels"),
        (label_of_ten, "has a label 10; digits go from 0 to 9"),
        (huge_header, "declares 4,294,967,295×4,294,967,295×4,294,967,295 bytes"),
        (lambda folder: (folder / LABELS).unlink(), "train-labels-idx1-ubyte is missing"),
    ],
)
def test_damage_is_one_clear_message(tmp_path: Path, damage: object, message: str) -> None:
    damage(small_mnist(tmp_path))  # type: ignore[operator]
    with pytest.raises(DataError) as caught:
        load_mnist(tmp_path)
    assert message in str(caught.value)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        load_mnist(tmp_path / "absent")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mirror on this machine that serves small files, their checksums, and a cache of its own."""
    folder = small_mnist(tmp_path / "served", packed=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    checksums = {
        name: hashlib.sha256(gzip.decompress((folder / f"{name}.gz").read_bytes())).hexdigest() for name in SHA256
    }
    monkeypatch.setattr(mnist, "SHA256", checksums)
    # the first mirror refuses the connection: nothing listens on port 9
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/", f"http://127.0.0.1:{server.server_port}/"))
    monkeypatch.setenv("CAPSAUDIT_CACHE", str(tmp_path / "cache"))
    yield folder
    server.shutdown()
    server.server_close()


def test_fetched_from_the_second_mirror_and_cached(served: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    cache = fetch_mnist(lambda *moved: seen.append(moved))
    assert len(load_mnist(cache).train.labels) == 40
    assert {name for name, _, _ in seen} == set(SHA256)
    for path in served.iterdir():
        path.unlink()
    assert fetch_mnist() == cache  # nothing has to be fetched again


def test_a_wrong_checksum_leaves_no_file(served: Path) -> None:
    (served / f"{IMAGES}.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DataError, match=r"wrong checksum.*--data-dir DIR"):
        fetch_mnist()
    cache = served.parent / "cache" / "mnist"
    assert not cache.exists() or not list(cache.iterdir())


def test_a_damaged_file_in_the_cache_is_fetched_again(served: Path) -> None:
    cache = fetch_mnist()
    (cache / IMAGES).write_bytes(b"damaged")
    fetch_mnist()
    assert len(load_mnist(cache).train.labels) == 40
    assert served.exists()


def test_a_full_disk_leaves_no_half_file(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"could not be cached: .*: cannot be written: No space left on device"):
        fetch_mnist()
    assert list((served.parent / "cache" / "mnist").iterdir()) == []


def test_a_cache_that_cannot_be_made_is_one_message(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPSAUDIT_CACHE", str(served / f"{LABELS}.gz"))
    with pytest.raises(DataError, match="could not be cached: "):
        fetch_mnist()


def test_offline_is_one_sentence_that_names_data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    monkeypatch.setenv("CAPSAUDIT_CACHE", str(tmp_path))
    with pytest.raises(DataError) as caught:
        fetch_mnist()
    assert "--data-dir DIR" in str(caught.value)
    assert "\n" not in str(caught.value)
