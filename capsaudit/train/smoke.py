"""A short training run that validates a variant: does it learn, and does a gradient reach whatever is counted as trainable?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from msgspec import Struct
from torch import nn

from capsaudit.catalogue import Variant
from capsaudit.data.batches import Batches
from capsaudit.data.dataset import Dataset
from capsaudit.errors import DataError
from capsaudit.families import family_of, total
from capsaudit.models import Network, build
from capsaudit.models.kernels import scratch
from capsaudit.results import BeforeAfter, FirstLast, Reason, Run, RunVerdict, TrainedTensor
from capsaudit.results.base import reason
from capsaudit.train.loop import Progress, Watcher, accuracy, train
from capsaudit.train.losses import Objective
from capsaudit.train.memory import forget_peak, peak_bytes
from capsaudit.train.optimiser import Adam
from capsaudit.train.plan import Plan
from capsaudit.train.schedule import Schedule

LEAST_GAIN = 0.1
"""A run learns if accuracy on held-out images rises by at least this much."""


class Trained(Struct, frozen=True):
    """A run, with the model and the test images for pictures."""

    run: Run
    model: Network
    test: Batches


def smoke(variant: Variant, dataset: Dataset, plan: Plan, watch: Watcher = lambda _: None) -> Trained:
    """Train for a short while.

    Raises:
        DataError: the data cannot be made into images for this variant.
    """
    watch(Progress(0, plan.steps))
    torch.manual_seed(plan.seed)
    scratch.release()  # buffers of the previous variant would count in this one's peak
    forget_peak()
    training, test = _batches(variant, dataset, plan)
    model = build(variant.spec, device=plan.device)
    before = accuracy(model, test)
    watcher = GradientWatcher(model)
    losses, seconds = train(
        model,
        training.forever(),
        steps=plan.steps,
        optimiser=Adam(model.parameters(), Schedule(rate=plan.rate)),
        objective=Objective(plan.margin, plan.reconstruction),
        after_backward=watcher.record_gradients,
        watch=watch,
    )
    gain = BeforeAfter(before=before, after=accuracy(model, test))
    tensors = watcher.tensors()
    verdict, why = judge_run(losses, gain, tensors)
    run = Run(
        variant=variant.id,
        data=_described(variant, dataset),
        seed=plan.seed,
        steps=len(losses),
        batch_size=plan.batch_size,
        loss=FirstLast(first=_finite(losses[0]), last=_finite(losses[-1])),
        accuracy=gain,
        images_per_second=len(losses) * plan.batch_size / seconds,
        peak_memory_bytes=peak_bytes(plan.device),
        parameters=tensors,
        counted=total(variant.spec),
        updated=sum(tensor.updated for tensor in tensors),
        verdict=verdict,
        reasons=(why,),
        losses=tuple(map(_finite, losses)),
        device=plan.device,
    )
    return Trained(run, model, test)


def judge_run(
    losses: Sequence[float], accuracy: BeforeAfter, tensors: Sequence[TrainedTensor]
) -> tuple[RunVerdict, Reason]:
    """The verdict and its reason. Tensors that no gradient reaches come first: no training, however long, could change them."""
    if not all(map(math.isfinite, losses)):
        return "does not learn", reason("not finite", step=len(losses))
    if unreached := [tensor for tensor in tensors if not tensor.reached]:
        names = [tensor.name for tensor in unreached]
        return "unreachable", reason("unreachable", tensors=names, count=sum(tensor.count for tensor in unreached))
    if unchanged := [tensor.name for tensor in tensors if not tensor.updated]:
        return "does not learn", reason("not updated", tensors=unchanged)
    before, after = accuracy.before, accuracy.after
    if after - before < LEAST_GAIN:
        return "does not learn", reason("gained too little", before=before, after=after, least=LEAST_GAIN)
    return "learns", reason("accuracy", before=before, after=after)


def _batches(variant: Variant, dataset: Dataset, plan: Plan) -> tuple[Batches, Batches]:
    two = variant.data == "multimnist"
    image, classes = variant.spec.image, family_of(variant.spec).classes(variant.spec)
    found = []
    for number, (split, shifts) in enumerate(((dataset.train, True), (dataset.test, False))):
        generator = torch.Generator().manual_seed(2 * plan.seed + number)
        if two and len(set(split.of_classes(classes).labels.tolist())) < 2:
            raise DataError(f"{variant.id}: two overlaid digits need images of at least two classes")
        size = plan.batch_size if shifts else 64
        found.append(Batches(split, image, classes=classes, size=size, two=two, shifts=shifts, generator=generator))
        if not len(found[-1]):
            raise DataError(f"{variant.id}: no images are left of {dataset.name} for {classes} classes")
    return found[0], found[1]


def _described(variant: Variant, dataset: Dataset) -> str:
    """The images that the network was given, in words."""
    image, classes = variant.spec.image, family_of(variant.spec).classes(variant.spec)
    parts = [dataset.name]
    native = tuple(dataset.train.images.shape[1:])
    if variant.data == "multimnist":
        parts.append(f"two of different classes overlaid, each shifted by up to 4 px, on {image.height}×{image.width}")
    else:
        if native != (image.height, image.width):
            parts.append(f"resized to {image.height}×{image.width}")
        parts.append("training images shifted by up to 2 px")
    if image.channels > 1:
        parts.append(f"repeated over {image.channels} channels")
    if classes < 10:
        parts.append(f"digits below {classes} only")
    return ", ".join(parts)


def _finite(value: float) -> float | None:
    """JSON has no number for what is not finite."""
    return value if math.isfinite(value) else None


class GradientWatcher:
    """Records, from before the first step on, which trainable tensors of a model a gradient reaches, and which change."""

    def __init__(self, model: nn.Module) -> None:
        self._parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._before = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._unreached = set(self._parameters)

    def record_gradients(self) -> None:
        """To be called after each backward pass; a tensor that has been reached once is not examined again."""
        for name in list(self._unreached):
            gradient = self._parameters[name].grad
            if gradient is not None and bool(torch.count_nonzero(gradient)):
                self._unreached.discard(name)

    def tensors(self) -> tuple[TrainedTensor, ...]:
        """One row for each tensor."""
        return tuple(self._row(name) for name in self._parameters)

    def _row(self, name: str) -> TrainedTensor:
        parameter = self._parameters[name]
        changed = int(torch.count_nonzero(parameter.detach() != self._before[name]))
        return TrainedTensor(
            name=".".join(name.split(".")[-2:]),
            count=parameter.numel(),
            updated=parameter.numel() if changed else 0,
            reached=name not in self._unreached,
            values_changed=changed,
        )
