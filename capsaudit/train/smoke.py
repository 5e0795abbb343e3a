"""A short training run that validates a variant: does it learn, and does a gradient reach whatever is counted as trainable?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from msgspec import Struct
from torch import nn

from capsaudit.arithmetic import layers
from capsaudit.catalogue import Variant
from capsaudit.data.batches import Batches
from capsaudit.data.dataset import Dataset
from capsaudit.errors import DataError
from capsaudit.models.kernels import scratch
from capsaudit.models.network import Baseline, CapsNet, build
from capsaudit.results import BeforeAfter, FirstLast, Moved, Run
from capsaudit.spec import Baseline as BaselineSpec
from capsaudit.spec import Spec
from capsaudit.train.loop import Watcher, accuracy, train
from capsaudit.train.losses import Objective
from capsaudit.train.memory import forget_peak, peak_bytes
from capsaudit.train.optimiser import RATE, Adam

LEARNS, DOES_NOT_LEARN, UNREACHABLE = "learns", "does not learn", "unreachable"
LEAST_GAIN = 0.1
"""A run has learnt something when its accuracy on held-out images rose by at least this much."""


class Plan(Struct, frozen=True, kw_only=True):
    """How a run trains."""

    steps: int = 80
    batch_size: int = 32
    seed: int = 0
    rate: float = RATE
    device: str = "cpu"
    objective: Objective = Objective()


class Trained(Struct, frozen=True):
    """A run, and what is left of it to make pictures from."""

    run: Run
    model: CapsNet | Baseline
    test: Batches


def smoke(variant: Variant, dataset: Dataset, plan: Plan, watch: Watcher = lambda _: None) -> Trained:
    """Train for a short while.

    Raises:
        DataError: the data cannot be made into images for this variant.
    """
    torch.manual_seed(plan.seed)
    scratch.release()  # of the variant before, so that the peak is this one's own
    forget_peak()
    training, test = _batches(variant, dataset, plan)
    model = build(variant.spec, device=plan.device)
    before = accuracy(model, test)
    evidence = Evidence(model)
    losses, seconds = train(
        model,
        training.forever(),
        steps=plan.steps,
        optimiser=Adam(model.parameters(), rate=plan.rate),
        objective=plan.objective,
        after_backward=evidence.look_at_gradients,
        watch=watch,
    )
    after = accuracy(model, test)
    parameters = evidence.parameters()
    verdict, because = judged(losses, before, after, parameters)
    run = Run(
        variant=variant.id,
        data=_described(variant, dataset),
        seed=plan.seed,
        steps=len(losses),
        batch_size=plan.batch_size,
        loss=FirstLast(first=_finite(losses[0]), last=_finite(losses[-1])),
        accuracy=BeforeAfter(before=before, after=after),
        images_per_second=len(losses) * plan.batch_size / seconds,
        peak_memory_bytes=peak_bytes(plan.device),
        parameters=parameters,
        counted=sum(layer.formula.value for layer in layers(variant.spec)),
        updated=sum(parameter.updated for parameter in parameters),
        verdict=verdict,
        because=because,
        losses=tuple(map(_finite, losses)),
        device=plan.device,
    )
    return Trained(run, model, test)


def judged(losses: Sequence[float], before: float, after: float, parameters: Sequence[Moved]) -> tuple[str, str]:
    """The verdict, and why. What no gradient reaches comes first: no training of whatever length could move it."""
    unreached = [parameter for parameter in parameters if not parameter.reached]
    if not all(map(math.isfinite, losses)):
        return DOES_NOT_LEARN, f"the loss was not finite in step {len(losses)}"
    if unreached:
        count = sum(parameter.count for parameter in unreached)
        return UNREACHABLE, f"no gradient reaches {', '.join(p.name for p in unreached)}: {count:,} values"
    if unmoved := [parameter.name for parameter in parameters if not parameter.updated]:
        return DOES_NOT_LEARN, f"{', '.join(unmoved)} did not move"
    gain = f"accuracy {before:.1%} → {after:.1%}"
    if after - before < LEAST_GAIN:
        return DOES_NOT_LEARN, f"{gain}: less than {LEAST_GAIN:.0%} gained"
    return LEARNS, gain


def _batches(variant: Variant, dataset: Dataset, plan: Plan) -> tuple[Batches, Batches]:
    two = variant.data == "multimnist"
    image, classes = variant.spec.image, _classes(variant.spec)
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


def _classes(spec: Spec) -> int:
    return spec.fully_connected.classes if isinstance(spec, BaselineSpec) else spec.digit_caps.classes


def _described(variant: Variant, dataset: Dataset) -> str:
    """What the network saw, in words."""
    image, classes = variant.spec.image, _classes(variant.spec)
    said = [dataset.name]
    native = tuple(dataset.train.images.shape[1:])
    if variant.data == "multimnist":
        said.append(f"two of different classes overlaid, each shifted by up to 4 px, on {image.height}×{image.width}")
    else:
        if native != (image.height, image.width):
            said.append(f"resized to {image.height}×{image.width}")
        said.append("training images shifted by up to 2 px")
    if image.channels > 1:
        said.append(f"repeated over {image.channels} channels")
    if classes < 10:
        said.append(f"digits below {classes} only")
    return ", ".join(said)


def _finite(value: float) -> float | None:
    """JSON has no number for what is not finite."""
    return value if math.isfinite(value) else None


class Evidence:
    """Watches the trainable parameters of a model from before its first step on."""

    def __init__(self, model: nn.Module) -> None:
        self._parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._before = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._unreached = set(self._parameters)

    def look_at_gradients(self) -> None:
        """To be called after each backward pass; what has been reached once is not looked at again."""
        for name in list(self._unreached):
            gradient = self._parameters[name].grad
            if gradient is not None and bool(torch.count_nonzero(gradient)):
                self._unreached.discard(name)

    def parameters(self) -> tuple[Moved, ...]:
        """One row a tensor. `updated` is its count where the optimiser moved it; `values_moved` how many of its values differ."""
        return tuple(self._row(name) for name in self._parameters)

    def _row(self, name: str) -> Moved:
        parameter = self._parameters[name]
        moved = int(torch.count_nonzero(parameter.detach() != self._before[name]))
        return Moved(
            name=".".join(name.split(".")[-2:]),
            count=parameter.numel(),
            updated=parameter.numel() if moved else 0,
            reached=name not in self._unreached,
            values_moved=moved,
        )
