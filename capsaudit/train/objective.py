"""What is minimised: the margin loss and the reconstruction loss of a CapsNet, the cross-entropy of a baseline."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from capsaudit.data.batches import Batch
from capsaudit.models.network import Baseline, CapsNet
from capsaudit.train.losses import margin_loss, reconstruction_loss


class Objective(NamedTuple):
    """Which of the two losses count."""

    margin: bool = True
    reconstruction: bool = True

    def loss(self, model: CapsNet | Baseline, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss of a batch in training, and the scores. The decoder is given each target in turn."""
        output = model(batch.images, batch.targets[:, 0])
        if output.capsules is None:
            return _cross_entropy(output.scores, batch.targets), output.scores
        loss = output.scores.new_zeros(())
        if self.margin:
            loss = loss + margin_loss(output.scores, present(batch.targets, output.scores))
        if self.reconstruction and isinstance(model, CapsNet) and model.decoder is not None:
            loss = loss + reconstruction_loss(output.reconstruction, batch.wanted[:, 0])
            for k in range(1, batch.targets.shape[1]):
                again = model.decoder.reconstruct(output.capsules, batch.targets[:, k])
                loss = loss + reconstruction_loss(again, batch.wanted[:, k])
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
