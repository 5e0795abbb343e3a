"""train-smoke: variants prove themselves one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from capsaudit.catalogue import Variant
from capsaudit.data.dataset import Dataset
from capsaudit.results import Run, Runs
from capsaudit.train.loop import Progress
from capsaudit.train.pictures import draw
from capsaudit.train.smoke import Plan, smoke

Watcher = Callable[[str, Progress], None]


def train_smoke(
    variants: Sequence[Variant],
    dataset: Dataset,
    plan: Plan,
    *,
    watch: Watcher = lambda *_: None,
    pictures: Path | None = None,
) -> Runs:
    """Train each variant for a short while. An interrupt ends it, and what was finished is reported."""
    runs: list[Run] = []
    try:
        for variant in variants:
            trained = smoke(variant, dataset, plan, lambda progress, name=variant.id: watch(name, progress))  # type: ignore[misc]
            runs.append(trained.run)
            if pictures is not None:
                draw(trained, pictures)
    except KeyboardInterrupt:
        return Runs(runs=tuple(runs), interrupted=True)
    return Runs(runs=tuple(runs))
