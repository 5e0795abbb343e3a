"""A network's inputs, made from digits: resized to its image, shifted, repeated over its channels, one at a time or two overlaid.

Sabour et al. 2017, section 5: MNIST is shifted by up to 2 pixels in each direction with zero padding. Section 6.1: MultiMNIST
overlays two digits of different classes, each shifted by up to 4 pixels, on 36×36.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from capsaudit.data.dataset import Split
from capsaudit.spec import Image

SHIFT, SHIFT_OF_TWO = 2, 4


class Batch(NamedTuple):
    """Images, the classes that are in each (one or two), and what the decoder should make of each class."""

    images: Float[Tensor, "batch c h w"]
    targets: Int[Tensor, "batch k"]
    wanted: Float[Tensor, "batch k c h w"]


class Batches:
    """Batches of a split for a network with this image and these classes.

    `two`: every image overlays two digits. `shifts`: digits are shifted at random; else they stand in the middle, or, where there
    are two, in places drawn from the seed; `shift` is by how many pixels at most, by default as in the paper. All that is random comes
    from the generator alone.
    """

    def __init__(
        self,
        split: Split,
        image: Image,
        *,
        classes: int,
        size: int,
        two: bool,
        shifts: bool,
        generator: torch.Generator,
        shift: int | None = None,
    ) -> None:
        chosen = split.of_classes(classes)
        self.labels, self.size, self.two, self.image, self.generator = chosen.labels, size, two, image, generator
        self.start = generator.get_state()
        self.shift = shift if shift is not None else SHIFT_OF_TWO if two else SHIFT
        self.random = shifts or two
        content = (image.height - 2 * self.shift, image.width - 2 * self.shift) if two else (image.height, image.width)
        pads = 2 * self.shift if two else self.shift
        self.padded = F.pad(_resized(chosen.images, max(content[0], 1), max(content[1], 1)), (pads,) * 4)

    def __len__(self) -> int:
        """Images in one pass."""
        return len(self.labels)

    def one_pass(self) -> Iterator[Batch]:
        """Every image once, in order; the last batch may be smaller. Every pass shows the same images, also where two are overlaid."""
        self.generator.set_state(self.start)
        for indices in torch.arange(len(self.labels)).split(self.size):
            yield self._batch(indices)

    def forever(self) -> Iterator[Batch]:
        """Pass after pass in random order, all batches of the same size."""
        left = torch.empty(0, dtype=torch.long)
        while True:
            while len(left) < self.size:
                left = torch.cat([left, torch.randperm(len(self.labels), generator=self.generator)])
            yield self._batch(left[: self.size])
            left = left[self.size :]

    def epoch(self, seed: int, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from number `start` on, all of the same size; images that fill no batch are left out.

        Each batch depends on the seed, the epoch and its number alone: a run may go on from any place.
        """
        order = torch.randperm(len(self.labels), generator=self.generator.manual_seed(_mixed(seed, epoch)))
        for number in range(start, len(order) // self.size):
            self.generator.manual_seed(_mixed(seed, epoch, number))
            yield self._batch(order[number * self.size : (number + 1) * self.size])

    def _batch(self, indices: Tensor) -> Batch:
        chosen = torch.stack([indices, self._others(indices)], 1) if self.two else indices.unsqueeze(1)
        wanted = torch.stack([self._placed(column) for column in chosen.unbind(1)], 1)
        images = wanted.sum(1).clamp_max(1)
        return Batch(images, self.labels[chosen], wanted)

    def _others(self, indices: Tensor) -> Tensor:
        """For each image another one of a different class."""
        others = self._draw(len(self.labels), len(indices))
        while (same := self.labels[others] == self.labels[indices]).any():
            others[same] = self._draw(len(self.labels), int(same.sum()))
        return others

    def _placed(self, indices: Tensor) -> Tensor:
        """[batch, channels, height, width] in [0, 1]."""
        count, (channels, height, width) = len(indices), (self.image.channels, self.image.height, self.image.width)
        if self.random:
            down, right = self._draw(2 * self.shift + 1, count), self._draw(2 * self.shift + 1, count)
        else:
            down = right = torch.full((count,), self.shift)
        rows = down.view(-1, 1, 1) + torch.arange(height).view(1, -1, 1)
        columns = right.view(-1, 1, 1) + torch.arange(width)
        placed = self.padded[indices.view(-1, 1, 1), rows, columns]
        return (placed.float() / 255).unsqueeze(1).expand(-1, channels, -1, -1).contiguous()

    def _draw(self, below: int, count: int) -> Tensor:
        return torch.randint(below, (count,), generator=self.generator)


def _mixed(*numbers: int) -> int:
    """A seed for each combination of numbers."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:7], "big")


def _resized(images: Tensor, height: int, width: int) -> Tensor:
    if images.shape[1:] == (height, width):
        return images
    resized = F.interpolate(images.unsqueeze(1).float(), (height, width), mode="bilinear", align_corners=False)
    return resized.squeeze(1).round().to(torch.uint8)
