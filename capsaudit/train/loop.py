"""A training run: batches in, losses out. All randomness comes from the seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from capsaudit.data.batches import Batch, Batches
from capsaudit.models import Network
from capsaudit.train.losses import Objective, correct
from capsaudit.train.optimiser import Adam


class Progress(NamedTuple):
    """The state of a run, for progress bars. `accuracy` is that of the last batch. Before the first step, 0, there are no values."""

    step: int
    steps: int
    loss: float | None = None
    accuracy: float | None = None
    images_per_second: float | None = None


Watcher = Callable[[Progress], None]


def train(
    model: Network,
    batches: Iterator[Batch],
    *,
    steps: int,
    optimiser: Adam,
    objective: Objective,
    after_backward: Callable[[], None],
    watch: Watcher,
) -> tuple[list[float], float]:
    """Losses of all steps, and the seconds they took. A loss that is not finite ends the run."""
    model.train()
    device = next(model.parameters()).device
    losses: list[float] = []
    start, images = time.perf_counter(), 0
    for step in range(1, steps + 1):
        batch = Batch(*(tensor.to(device) for tensor in next(batches)))
        optimiser.zero_grad()
        loss, scores = objective.loss(model, batch)
        losses.append(loss.item())
        if not torch.isfinite(loss):
            break
        if loss.requires_grad:
            torch.autograd.backward(loss)
            after_backward()
            optimiser.step()
        images += len(batch.images)
        accuracy = correct(scores.detach(), batch.targets) / len(batch.images)
        watch(Progress(step, steps, losses[-1], accuracy, images / (time.perf_counter() - start)))
    return losses, time.perf_counter() - start


@torch.no_grad()
def accuracy(model: Network, batches: Batches) -> float:
    """Share of images in which every digit is found."""
    model.eval()
    device = next(model.parameters()).device
    found = 0
    for batch in batches.one_pass():
        found += correct(model(batch.images.to(device)).scores, batch.targets.to(device))
    return found / len(batches)
