"""A training run: batches in, losses out. All randomness comes from the seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

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
        taken = take_step(partial(objective.loss, model), batch, optimiser, after_backward=after_backward)
        losses.append(taken.loss)
        if not math.isfinite(taken.loss):
            break
        images += len(batch.images)
        watch(Progress(step, steps, taken.loss, taken.accuracy, images / (time.perf_counter() - start)))
    return losses, time.perf_counter() - start


class Taken(NamedTuple):
    """What a step has computed of its batch, before anything was changed."""

    loss: float
    accuracy: float


def take_step(
    compute: Callable[[Batch], tuple[Tensor, Tensor]],
    batch: Batch,
    optimiser: Adam,
    *,
    after_backward: Callable[[], None] = lambda: None,
    mean: Callable[[Sequence[float]], Sequence[float]] = lambda values: values,
) -> Taken:
    """One step of training: `compute` gives the loss and the scores of a batch. A loss that is not finite changes nothing.

    `mean` is that over the processes that train together.
    """
    optimiser.zero_grad()
    loss, scores = compute(batch)
    taken = Taken(*mean([loss.item(), correct(scores.detach(), batch.targets) / len(batch.images)]))
    if math.isfinite(taken.loss) and loss.requires_grad:
        torch.autograd.backward(loss)
        after_backward()
        optimiser.step()
    return taken


@torch.no_grad()
def accuracy(model: Network, batches: Batches) -> float:
    """Share of images in which every digit is found."""
    model.eval()
    device = next(model.parameters()).device
    found = 0
    for batch in batches.one_pass():
        found += correct(model(batch.images.to(device)).scores, batch.targets.to(device))
    return found / len(batches)
