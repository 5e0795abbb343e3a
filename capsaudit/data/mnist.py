"""MNIST from a folder of IDX files, or fetched once and cached."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from capsaudit.atomic_write import write_atomically
from capsaudit.data.dataset import Dataset, Split
from capsaudit.data.idx import read_idx, unpack
from capsaudit.errors import CapsauditError, DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
SHA256 = {  # of the unpacked bytes: archives are packed anew now and then
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes fetched so far and the bytes in all (0: not known)."""


def load_mnist(folder: Path) -> Dataset:
    """The four files in a folder, gzipped or not.

    Raises:
        DataError: a file is missing or damaged, or images and labels do not belong together.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; expected one with {', '.join(SHA256)} (or the same with .gz)")
    train = _split(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    test = _split(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(f"{folder}: training and test images differ in size")
    size = "×".join(map(str, train.images.shape[1:]))
    return Dataset(train, test, name=f"{len(train.labels):,} + {len(test.labels):,} IDX images of {size}")


def fetch_mnist(progress: Progress | None = None) -> Path:
    """The folder of the cache with MNIST; missing files are fetched from the first mirror that has them.

    Raises:
        DataError: no mirror could be reached, what they sent was not MNIST, or it could not be kept.
    """
    import pooch

    cache = Path(os.environ.get("CAPSAUDIT_CACHE") or pooch.os_cache("capsaudit")) / "mnist"
    for name in SHA256:
        if not _is_whole(cache / name, name):
            _keep(cache / name, _fetched(name, progress))
    return cache


def _split(folder: Path, images_name: str, labels_name: str) -> Split:
    images = read_idx(_found(folder, images_name), axes=3)
    labels = read_idx(_found(folder, labels_name), axes=1)
    if len(images) != len(labels):
        raise DataError(
            f"{folder}: {len(images):,} images in {images_name}, but {len(labels):,} labels in {labels_name}"
        )
    if (largest := int(labels.max())) > 9:
        raise DataError(f"{folder}: {labels_name} has a label {largest}; digits go from 0 to 9")
    return Split(images, labels.long())


def _found(folder: Path, name: str) -> Path:
    dotted = name.replace("-idx", ".idx")
    for candidate in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    raise DataError(f"{folder}: {name} is missing (nor is there {name}.gz)")


def _is_whole(path: Path, name: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[name]


def _fetched(name: str, progress: Progress | None) -> bytes:
    """The unpacked bytes from the first mirror whose checksum is right."""
    import pooch

    reasons = []
    for mirror in MIRRORS:
        url, received = f"{mirror}{name}.gz", io.BytesIO()
        try:
            pooch.HTTPDownloader(progressbar=_Bar(name, progress), timeout=20)(url, received, None)
            received.seek(0)
            content = unpack(received, url)
        except (OSError, ValueError, DataError) as error:
            reasons.append(type(error).__name__)
            continue
        if hashlib.sha256(content).hexdigest() == SHA256[name]:
            return content
        reasons.append("wrong checksum")
    raise DataError(
        f"MNIST could not be fetched: none of {len(MIRRORS)} mirrors sent {name} ({', '.join(reasons)}); "
        "with the four IDX files at hand, name their folder: --data-dir DIR"
    )


def _keep(path: Path, content: bytes) -> None:
    """Into the cache, which never holds half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise DataError(f"{path}: could not be cached: {error.strerror}") from error
    except CapsauditError as error:
        raise DataError(f"could not be cached: {error}") from error


class _Bar:
    """What pooch expects of a progress bar."""

    def __init__(self, name: str, progress: Progress | None) -> None:
        self.name, self.progress, self.done = name, progress, 0
        self.total: Any = 0

    def update(self, count: int) -> None:
        self.done += count
        if self.progress:
            self.progress(self.name, self.done, int(self.total or 0))

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        pass
