"""Grey images of single digits with their labels, as read; `batches` makes a network's inputs of them."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Int, UInt8
from torch import Tensor


class Split(NamedTuple):
    """Images of single digits, 0 black to 255 white, and the digits."""

    images: UInt8[Tensor, "n h w"]
    labels: Int[Tensor, " n"]

    def of_classes(self, classes: int) -> Split:
        """Only the digits below `classes`, for networks that have fewer than ten."""
        chosen = self.labels < classes
        return Split(self.images[chosen], self.labels[chosen])


class Dataset(NamedTuple):
    """Images to train on, others to test on, and a description."""

    train: Split
    test: Split
    name: str
