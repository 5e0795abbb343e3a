"""A run from its checkpoint to its end: steps, evaluation after each epoch, checkpoints in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from capsaudit.data.batches import Batch, Batches
from capsaudit.errors import CapsauditError
from capsaudit.models import build
from capsaudit.models.kernels import scratch
from capsaudit.train import checkpoint, weights
from capsaudit.train.distributed import Processes
from capsaudit.train.log import Row
from capsaudit.train.loop import take_step
from capsaudit.train.losses import Objective, correct
from capsaudit.train.memory import forget_peak, peak_bytes
from capsaudit.train.optimiser import Adam
from capsaudit.train.run import Run
from capsaudit.train.splits import Splits

CHECKPOINT_SECONDS = 50.0
"""From one checkpoint to the next: at least one a minute, with room for a slow step."""


class RunProgress(NamedTuple):
    """Where a run is. `error` is that of the last epoch, on the validation images, or the test images where there are none."""

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    error: float | None
    images_per_second: float


class Session:
    """A run that goes on. `group`: the processes that train together; only the first one writes.

    Raises:
        FileError: the checkpoint is not one of this run.
        CapsauditError: batch normalisation with several processes.
    """

    def __init__(
        self,
        run: Run,
        splits: Splits,
        group: Processes,
        *,
        seconds: float = CHECKPOINT_SECONDS,
        watch: Callable[[RunProgress], None] = lambda _: None,
    ) -> None:
        self.run, self.splits, self.group, self.seconds, self.watch = run, splits, group, seconds, watch
        self.protocol = run.settings.protocol
        self.epoch_steps = steps_of_epoch(splits, self.protocol.batch_size)
        self.steps = self.protocol.epochs * self.epoch_steps
        torch.manual_seed(self.protocol.seed)
        scratch.release()
        forget_peak()
        self.model = build(run.settings.spec, device=group.device)
        self.optimiser = Adam(self.model.parameters(), self.protocol.schedule(self.steps))
        self.names: dict[Tensor, str] = {parameter: name for name, parameter in self.model.named_parameters()}
        rows = run.epochs.rows()
        self.evaluated, self.error = len(rows), last_error(rows)
        self._restore()
        objective = Objective(self.protocol.margin, self.protocol.reconstruction, self.protocol.reconstruction_weight)
        self.loss = group.loss(self.model, objective)

    def _restore(self) -> None:
        found = self.run.checkpoint
        if found is None:
            self.save()
            return
        name = str(self.run.folder)
        weights.put_weights(self.model, found.contents[checkpoint.LAST], f"{name}/{checkpoint.LAST}")
        state, label = found.contents[checkpoint.STATE], f"{name}/{checkpoint.STATE}"
        weights.restore(self.optimiser, self.names, self.group.device, state, label)
        self.saved = time.monotonic()

    def go_on(self, stopped: Callable[[], bool]) -> bool:
        """Train to the end, or until `stopped`; then save. Whether the end is reached.

        Raises:
            CapsauditError: a file cannot be written, or a loss is not finite; the checkpoint before stays.
        """
        while True:
            epoch, place = divmod(self.optimiser.steps, self.epoch_steps)
            if epoch > self.evaluated and not self._end(epoch, stopped):
                self.save()
                return False
            if epoch >= self.protocol.epochs:
                return True
            if not self._train(epoch + 1, place, stopped):
                self.save()
                return False

    def _train(self, epoch: int, place: int, stopped: Callable[[], bool]) -> bool:
        """The rest of an epoch; False: it was stopped before."""
        self.model.train()
        started, images = time.perf_counter(), 0
        for batch in self.splits.training.epoch(self.protocol.seed, epoch, start=place):
            row = self._step(epoch, batch)
            images += len(batch.images)
            speed = images / (time.perf_counter() - started)
            at = RunProgress(epoch, self.protocol.epochs, row["step"], self.steps, row["loss"], self.error, speed)
            self.watch(at)
            if self.group.sum([float(stopped())])[0]:
                return False
            if self.optimiser.steps % self.epoch_steps and time.monotonic() - self.saved >= self.seconds:
                self.save()
        return True

    def _step(self, epoch: int, batch: Batch) -> Row:
        started, step = time.perf_counter(), self.optimiser.steps + 1
        rate = self.optimiser.schedule.at(step - 1)
        taken = take_step(lambda own: self.loss(*own), self.group.share(batch), self.optimiser, mean=self.group.mean)
        if not math.isfinite(taken.loss):
            raise CapsauditError(
                f"{self.run.folder}: the loss of step {step:,} is not finite; the checkpoint before stays. "
                "Expected a lower learning rate to train: --learning-rate, with another --output"
            )
        row = {"epoch": epoch, "step": step, "rate": rate, "loss": taken.loss, "accuracy": taken.accuracy}
        row["seconds"] = time.perf_counter() - started
        if self.group.rank == 0:
            self.run.steps.append(row)
        return row

    def _end(self, epoch: int, stopped: Callable[[], bool]) -> bool:
        """Evaluate an epoch and save; False: it was stopped before it was evaluated."""
        if time.monotonic() - self.saved >= self.seconds / 5:  # evaluation may take as long as a checkpoint may wait
            self.save()
        started = time.perf_counter()
        errors: Row = {"validation_error": None}
        for name, batches in (("validation_error", self.splits.validation), ("test_error", self.splits.test)):
            if batches is not None:
                errors[name] = self._evaluated(batches, stopped)
                if errors[name] is None:
                    return False
        self.evaluated, self.error = epoch, last_error([errors])
        if self.group.rank == 0:
            self.run.epochs.append(self._row(epoch) | errors | self._cost(time.perf_counter() - started))
        self.save()
        return True

    @torch.no_grad()
    def _evaluated(self, batches: Batches, stopped: Callable[[], bool]) -> float | None:
        """The share of images in which not every digit is found; None: it was stopped before."""
        self.model.eval()
        wrong, ended = 0, False
        for number, batch in enumerate(batches.one_pass()):
            if number % self.group.count == self.group.rank and not ended:
                scores = self.model(batch.images.to(self.group.device)).scores
                wrong += len(batch.images) - correct(scores, batch.targets.to(self.group.device))
                ended = stopped()
        everywhere, stops = self.group.sum([float(wrong), float(ended)])
        return None if stops else everywhere / len(batches)

    def _row(self, epoch: int) -> Row:
        """An epoch's losses and accuracies are the means of its steps."""
        rows = [row for row in self.run.steps.rows() if row["epoch"] == epoch]
        means = {name: sum(row[name] for row in rows) / len(rows) for name in ("loss", "accuracy")}
        seconds = sum(row["seconds"] for row in rows)
        return {"epoch": epoch, "step": self.optimiser.steps, **means, "training_seconds": seconds}

    def _cost(self, seconds: float) -> Row:
        return {"evaluation_seconds": seconds, "peak_memory_bytes": peak_bytes(self.group.device)}

    def save(self) -> None:
        """Write a checkpoint; with the weights as the best ones after an epoch whose validation error is lower than all before.

        Raises:
            CapsauditError: it cannot be written; the one before stays.
        """
        self.saved = time.monotonic()
        if self.group.rank:
            return
        rows = self.run.epochs.rows()
        last = weights.weights(self.model, self.run.settings.network)
        state = weights.state(self.optimiser, self.names, self.group.device)
        contents = {checkpoint.LAST: last, checkpoint.STATE: state}
        if rows and chosen(rows) is rows[-1] and rows[-1]["step"] == self.optimiser.steps:
            contents[checkpoint.BEST] = last
        self.run.save(self.optimiser.steps, contents)


def steps_of_epoch(splits: Splits, batch_size: int) -> int:
    """Batches of one pass over the training images."""
    return len(splits.training) // batch_size


def chosen(rows: list[Row]) -> Row | None:
    """The epoch that is chosen: the first one with the lowest validation error. None: nothing was held out."""
    valid = [row for row in rows if row["validation_error"] is not None]
    return min(valid, key=lambda row: float(row["validation_error"]), default=None)


def last_error(rows: list[Row]) -> float | None:
    """The error of the last epoch, on the validation images, or on the test images where there are none."""
    if not rows:
        return None
    validation, test = rows[-1]["validation_error"], rows[-1]["test_error"]
    error: float = test if validation is None else validation
    return error
