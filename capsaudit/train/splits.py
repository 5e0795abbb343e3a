"""The images of a run: those that it trains on, those held out of them to choose an epoch, and the test images."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch

from capsaudit.data.batches import SHIFT, SHIFT_OF_TWO, Batches
from capsaudit.data.dataset import Dataset, Split
from capsaudit.errors import DataError
from capsaudit.families import family_of
from capsaudit.spec import Spec
from capsaudit.train.protocol import HELD_OUT_SHARE, Protocol
from capsaudit.train.settings import RunSettings

EVALUATION_BATCH = 128


class Splits(NamedTuple):
    """Batches of each. `validation` is None where nothing is held out."""

    training: Batches
    validation: Batches | None
    test: Batches


def resolved(protocol: Protocol, dataset: Dataset, *, two: bool) -> dict[str, int]:
    """The settings of a protocol that the images decide where they are None."""
    validation = len(dataset.train.labels) // HELD_OUT_SHARE if protocol.validation is None else protocol.validation
    shift = (SHIFT_OF_TWO if two else SHIFT) if protocol.shift is None else protocol.shift
    return {"validation": validation, "shift": shift}


def splits(settings: RunSettings, dataset: Dataset) -> Splits:
    """The batches of a run. Two digits to be overlaid are the same ones in every pass over the validation and test images.

    Raises:
        DataError: there are too few images for these settings.
    """
    protocol = settings.protocol
    count, held_out = len(dataset.train.labels), protocol.validation or 0
    if held_out >= count:
        raise DataError(f"validation is {held_out:,}; expected fewer than the {count:,} training images")
    kept, validation = (Split(*(part[where] for part in dataset.train)) for where in _halves(count - held_out))
    training = _batches(settings, kept, size=protocol.batch_size, shifts=True)
    if len(training) < protocol.batch_size:
        raise DataError(
            f"batch_size is {protocol.batch_size:,}; expected at most the {len(training):,} training images"
        )
    if protocol.batch_size % settings.processes:
        raise DataError(f"batch_size is {protocol.batch_size:,}; expected a multiple of {settings.processes} processes")
    chosen = _batches(settings, validation, size=EVALUATION_BATCH, shifts=False) if held_out else None
    return Splits(training, chosen, _batches(settings, dataset.test, size=EVALUATION_BATCH, shifts=False))


def checksum(dataset: Dataset) -> str:
    """Of all images and labels."""
    found = hashlib.sha256()
    for split in (dataset.train, dataset.test):
        for tensor in split:
            found.update(repr(tuple(tensor.shape)).encode())
            found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def _halves(place: int) -> tuple[slice, slice]:
    return slice(None, place), slice(place, None)


def _batches(settings: RunSettings, split: Split, *, size: int, shifts: bool) -> Batches:
    two, shift = settings.images == "multimnist", settings.protocol.shift
    return batches_of(settings.spec, split, settings.data, two=two, size=size, shifts=shifts, shift=shift)


def batches_of(
    spec: Spec, split: Split, name: str, *, two: bool, size: int, shifts: bool, shift: int | None = None
) -> Batches:
    """Batches of a split for a network; `name` is what messages call the data.

    Raises:
        DataError: it has no images of the network's classes, or of one class where two digits are overlaid.
    """
    classes = family_of(spec).classes(spec)
    found = len(set(split.of_classes(classes).labels.tolist()))
    if found < 1 + two:
        raise DataError(f"{name}: has images of {found} of {classes} classes; expected at least {1 + two}")
    return Batches(
        split,
        spec.image,
        classes=classes,
        size=size,
        two=two,
        shifts=shifts,
        generator=torch.Generator().manual_seed(0),
        shift=shift,
    )
