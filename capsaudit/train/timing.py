"""What the steps of a run cost, measured on a few of them."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from capsaudit.models import build
from capsaudit.models.kernels import scratch
from capsaudit.train.distributed import Processes
from capsaudit.train.loop import take_step
from capsaudit.train.losses import Objective
from capsaudit.train.memory import forget_peak, peak_bytes
from capsaudit.train.optimiser import Adam
from capsaudit.train.settings import RunSettings
from capsaudit.train.splits import Splits

_STEPS = 3
"""Timed, after one that is not: the first one allocates what the others use again."""


class Cost(NamedTuple):
    """Seconds of a step and of evaluating one image, the peak of memory, and the bytes of a checkpoint and the one before it."""

    step_seconds: float
    image_seconds: float
    peak_memory_bytes: int
    disk_bytes: int


def cost(settings: RunSettings, splits: Splits) -> Cost:
    """Measure a run with these settings in this process; nothing is written."""
    torch.manual_seed(settings.protocol.seed)
    scratch.release()
    forget_peak()
    group = Processes(device=settings.device)
    model = build(settings.spec, device=settings.device)
    optimiser, loss = Adam(model.parameters()), group.loss(model, Objective())
    model.train()
    times = [time.perf_counter()]
    while len(times) < _STEPS + 2:
        for batch in splits.training.epoch(settings.protocol.seed, 1):
            take_step(lambda own: loss(*own), group.share(batch), optimiser)
            times.append(time.perf_counter())
            if len(times) == _STEPS + 2:
                break
    peak, images = peak_bytes(settings.device), next(splits.test.one_pass()).images.to(settings.device)
    model.eval()
    with torch.no_grad():
        model(images)
        started = time.perf_counter()
        model(images).scores.cpu()
    image_seconds = (time.perf_counter() - started) / len(images)
    weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    moments = sum(tensor.nbytes for kept in optimiser.state() for tensor in kept.values())
    best = weights if splits.validation is not None else 0
    return Cost((times[-1] - times[1]) / _STEPS, image_seconds, peak, 2 * (weights + best + moments))
