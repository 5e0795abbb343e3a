"""Folders of runs, as `train` writes them, without training: the errors are chosen so that they can be counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from capsaudit.catalogue import load_variant
from capsaudit.reporting.training.stated import stated_data
from capsaudit.train.protocol import Protocol
from capsaudit.train.settings import RunSettings, as_toml, network_of

VALIDATION = (0.006, 0.004, 0.004)
TEST = (0.0075, 0.0064, 0.0036)


def settings(
    variant: str = "paper", knobs: tuple[str, ...] = (), more: dict[str, Any] | None = None, **protocol: Any
) -> RunSettings:
    """Of a run of three epochs on MNIST."""
    common: dict[str, Any] = {"epochs": 3, "shift": 2, "validation": 5000}
    found = RunSettings(
        variant=variant,
        images="digits",
        data="60,000 + 10,000 IDX images of 28×28",
        data_sha256=stated_data().mnist.sha256,
        device="cpu",
        threads=2,
        processes=1,
        protocol=Protocol(**(common | protocol)),
        network=network_of(load_variant(variant, settings=knobs).spec),
        versions={"capsaudit": "0.2.0", "torch": "2.13.0"},
    )
    return msgspec.structs.replace(found, **(more or {}))


def record(folder: Path, given: RunSettings, test: tuple[float, ...] = TEST) -> Path:
    """Write the two files that are kept of a run."""
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_bytes(as_toml(given))
    rows = [_row(number, given, test) for number in range(1, given.protocol.epochs + 1)]
    (folder / "epochs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _row(number: int, given: RunSettings, test: tuple[float, ...]) -> dict[str, Any]:
    return {
        "epoch": number,
        "step": 429 * number,
        "loss": 0.5 / number,
        "accuracy": 0.9,
        "training_seconds": 1.0,
        "validation_error": VALIDATION[(number - 1) % 3] if given.protocol.validation else None,
        "test_error": test[(number - 1) % 3],
        "evaluation_seconds": 1.0,
        "peak_memory_bytes": 1,
    }
