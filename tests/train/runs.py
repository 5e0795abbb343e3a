"""A run that takes a second or two, and its rows without what depends on the clock or on memory."""

from __future__ import annotations

import json
import multiprocessing
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from capsaudit import api

SMALL = """
extends = "paper"
summary = "a network that takes five milliseconds a step"
[image]
height = 10
width = 10
[conv1]
channels = 4
kernel = 3
[primary_caps]
types = 2
kernel = 3
[digit_caps]
dimension = 4
[decoder]
hidden = [8]
[sources]
image = "a test"
conv1 = "a test"
primary_caps = "a test"
digit_caps = "a test"
decoder = "a test"
"""
EPOCHS, BATCH = 3, 32
STEPS = 41
"""Of an epoch: 1,437 images, a twelfth (119) held out, ⌊1318 / 32⌋ = 41."""


def write_small(folder: Path) -> Path:
    """The file of the network."""
    path = folder / "small.toml"
    path.write_text(SMALL)
    return path


def train(variant: Path, output: Path, **settings: Any) -> api.TrainingRun:
    """Train it on the digits of the package."""
    common: dict[str, Any] = {
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "learning_rate": 0.003,
        "threads": 1,
        "data": "digits",
    }
    return api.train(variant, output=output, **(common | settings))


def command(variant: Path, output: Path, *more: str) -> list[str]:
    """The same on the command line."""
    settings = ["--epochs", str(EPOCHS), "--batch-size", str(BATCH), "--learning-rate", "0.003", "--threads", "1"]
    return ["train", str(variant), "--output", str(output), "--data", "digits", *settings, *more]


def rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of both logs of a run, as the contract compares them."""
    return {
        name: [_without_clock(json.loads(line)) for line in (folder / name).read_text().splitlines()]
        for name in ("steps.jsonl", "epochs.jsonl")
    }


def started(variant: Path, output: Path, **settings: Any) -> ForkServerProcess:
    """A process of its own that trains; it starts in a moment, because it is forked from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["capsaudit.commands.train", "sklearn.datasets"])
    process = context.Process(target=train, args=(variant, output), kwargs=settings)
    process.start()
    return process


def _without_clock(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not any(w in name for w in ("seconds", "time", "memory"))}
