"""What a network gets wrong on a split, and what its decoder makes of the images."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from capsaudit.data.batches import Batch, Batches
from capsaudit.errors import CapsauditError
from capsaudit.models import Network, Output


class Measured(NamedTuple):
    """`error`: the share of images in which not every digit is found; `digit_error`: the share of digits that are not.

    `confusion` [classes, classes]: images by their digit and by the digit found; None where images have two. `reconstruction_error`:
    squared differences of pixels from 0 to 1, summed over an image, averaged over the images and their digits; None without a decoder.
    """

    error: float
    digit_error: float
    confusion: Tensor | None
    reconstruction_error: float | None


@torch.no_grad()
def measure(model: Network, batches: Batches, name: str, watch: Callable[[int], None] = lambda _: None) -> Measured:
    """One pass over the images. The decoder is given the capsules of the digits that are in the image, as in training.

    `name` is what messages call the weights; `watch` is called with the number of images of each batch.

    Raises:
        CapsauditError: the scores are not finite.
    """
    model.eval()
    device = next(model.parameters()).device
    wrong = missed = 0
    squared, confusion = 0.0, None
    for given in batches.one_pass():
        batch = Batch(*(tensor.to(device) for tensor in given))
        output = model(batch.images, batch.targets[:, 0])
        if not output.scores.isfinite().all():
            raise CapsauditError(f"{name}: the scores of the classes are not finite")
        hits = _hits(output.scores, batch.targets)
        wrong += int((~hits.all(1)).sum())
        missed += int((~hits).sum())
        squared += _squared(model, output, batch)
        if not batches.two:
            table = _confused(output.scores, batch.targets[:, 0])
            confusion = table if confusion is None else confusion + table
        watch(len(batch.images))
    digits = len(batches) * (1 + batches.two)
    decoded = squared / digits if model.decoder is not None else None
    return Measured(wrong / len(batches), missed / digits, confusion, decoded)


def _hits(scores: Tensor, targets: Tensor) -> Tensor:
    """Which digits of each image are among as many highest scores, [batch, k].

    >>> _hits(torch.tensor([[0.9, 0.1, 0.8]]), torch.tensor([[2, 1]]))
    tensor([[ True, False]])
    """
    found = scores.topk(targets.shape[1], dim=1).indices
    return (targets.unsqueeze(2) == found.unsqueeze(1)).any(2)


def _confused(scores: Tensor, digits: Tensor) -> Tensor:
    """How many images of each digit, a row, are taken for which, a column.

    >>> _confused(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([0, 1]))
    tensor([[1, 0],
            [1, 0]])
    """
    classes = scores.shape[1]
    pairs = digits * classes + scores.argmax(1)
    return torch.bincount(pairs, minlength=classes * classes).view(classes, classes).cpu()


def _squared(model: Network, output: Output, batch: Batch) -> float:
    """Summed over the images, their digits and the pixels."""
    if model.decoder is None or output.capsules is None or output.reconstruction is None:
        return 0.0
    total = (output.reconstruction - batch.wanted[:, 0]).square().sum().item()
    for k in range(1, batch.targets.shape[1]):
        again = model.decoder.reconstruct(output.capsules, batch.targets[:, k])
        total += (again - batch.wanted[:, k]).square().sum().item()
    return total
