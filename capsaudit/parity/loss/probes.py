"""The known values that a loss is called with."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from capsaudit.parity.arguments import Known
from capsaudit.parity.loss.function import Loss
from capsaudit.recognition.base import RecognisedNetwork


class Probes(NamedTuple):
    """Known values of a sequence of calls: lengths and a one for each present class [call, batch, class], images and reconstructions
    [call, batch, pixels]; and the same as what a loss may be given.
    """

    lengths: Tensor
    present: Tensor
    images: Tensor
    made: Tensor
    known: list[Known]


def probes(loss: Loss, network: RecognisedNetwork, *, wide: bool, lengths: int = 1, images: int = 1) -> Probes:
    """So many lengths, with each class present in turn; and so many images and reconstructions. `wide`: whether lengths are also above 1."""
    generator = torch.Generator().manual_seed(0)
    image, classes, calls = network.spec.image, loss.call.classes, max(lengths, images)
    shape = (image.channels, image.height, image.width)

    def drawn(many: int, *size: int) -> Tensor:
        values = 0.02 + 0.96 * torch.rand(many, loss.batch, *size, generator=generator, dtype=torch.float64)
        return values.expand(calls, *values.shape[1:])

    labels = (torch.arange(lengths)[:, None] + 2 * torch.arange(loss.batch)).expand(calls, -1) % classes
    pictures, made = drawn(images, *shape), drawn(images, math.prod(shape))
    long = drawn(lengths, classes)
    long = _spread(long) if wide and lengths > 1 else long
    known = [loss.known(*each) for each in zip(pictures, labels, long, made, strict=True)]
    return Probes(long, F.one_hot(labels, classes).double(), pictures.flatten(2), made, known)


def _spread(lengths: Tensor) -> Tensor:
    """Of lengths [call, batch, class] up to 1, lengths on both sides of m⁺ and m⁻ where m⁺ is above 1; in every second call such that also
    their softmax is on both sides.
    """
    shares = (-lengths.log()) ** 3
    logarithms = (shares / shares.sum(-1, keepdim=True)).clamp(min=0.005).log()
    by_softmax = logarithms - logarithms.amin(-1, keepdim=True) + 0.02
    is_second = (torch.arange(len(lengths)) % 2 == 1)[:, None, None]
    return torch.where(is_second, by_softmax, 1.3 * lengths)
