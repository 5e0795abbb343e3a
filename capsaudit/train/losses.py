"""What training minimises: the paper's margin and reconstruction losses (Sabour et al. 2017, sections 3 and 4.1), a baseline's cross-entropy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from capsaudit.data.batches import Batch
from capsaudit.models import Network

M_PLUS, M_MINUS, DOWN_WEIGHT = 0.9, 0.1, 0.5
"""m+, m− and λ of equation 4."""
RECONSTRUCTION_WEIGHT = 0.0005


def margin_loss(lengths: Float[Tensor, "batch cls"], present: Float[Tensor, "batch cls"]) -> Float[Tensor, ""]:
    """Equation 4, summed over the classes and averaged over the images; `present` is 1 for each class that is in the image.

    >>> import torch
    >>> lengths = torch.tensor([[0.95, 0.05, 0.0]])
    >>> margin_loss(lengths, torch.tensor([[1.0, 0.0, 0.0]]))
    tensor(0.)
    """
    missed = F.relu(M_PLUS - lengths).square()
    imagined = F.relu(lengths - M_MINUS).square()
    return (present * missed + DOWN_WEIGHT * (1 - present) * imagined).sum(1).mean()


def reconstruction_loss(
    reconstructed: Float[Tensor, "batch *pixels"],
    images: Float[Tensor, "batch *pixels"],
    weight: float = RECONSTRUCTION_WEIGHT,
) -> Float[Tensor, ""]:
    """The sum of squared differences over the pixels, averaged over the images, times 0.0005 (section 4.1)."""
    return weight * (reconstructed - images).square().flatten(1).sum(1).mean()


class Objective(NamedTuple):
    """Which of the two losses count, and how much the second one."""

    margin: bool = True
    reconstruction: bool = True
    weight: float = RECONSTRUCTION_WEIGHT

    def loss(self, model: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss of a batch in training, and the scores. The decoder is given each target in turn."""
        output = model(batch.images, batch.targets[:, 0])
        if output.capsules is None:
            return _cross_entropy(output.scores, batch.targets), output.scores
        loss = output.scores.new_zeros(())
        if self.margin:
            loss = loss + margin_loss(output.scores, present(batch.targets, output.scores))
        if self.reconstruction and model.decoder is not None and output.reconstruction is not None:
            loss = loss + reconstruction_loss(output.reconstruction, batch.wanted[:, 0], self.weight)
            for k in range(1, batch.targets.shape[1]):
                again = model.decoder.reconstruct(output.capsules, batch.targets[:, k])
                loss = loss + reconstruction_loss(again, batch.wanted[:, k], self.weight)
        return loss, output.scores


def present(targets: Tensor, scores: Tensor) -> Tensor:
    """1 for each class that is in the image, [batch, classes]."""
    return torch.zeros_like(scores).scatter_(1, targets, 1.0)


def correct(scores: Tensor, targets: Tensor) -> int:
    """How many images have all their digits, and no others, among the longest capsules."""
    found = scores.topk(targets.shape[1], dim=1).indices
    return int((found.sort(1).values == targets.sort(1).values).all(1).sum())


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits, present(targets, logits) / targets.shape[1])
