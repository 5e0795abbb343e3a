"""What a training run takes besides its steps, and Efficient-CapsNet beside plain torch.

`python -m tests.benchmarks.training [--data-dir DIR] [--steps 60] [--keep-memory]`. `--keep-memory` tells the C library to keep the memory that
is freed (MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_), from which plain torch gains: without it, a ratio is partly one of allocators.
The limits that the project set itself are printed beside the ratios and not asserted.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit.catalogue import load_variant
from capsaudit.commands.train import Wanted, settings_of
from capsaudit.commands.train_smoke import dataset_of
from capsaudit.models import build
from capsaudit.train.distributed import processes
from capsaudit.train.losses import margin_loss, reconstruction_loss
from capsaudit.train.optimiser import Adam
from capsaudit.train.protocol import Protocol
from capsaudit.train.run import begin_or_resume
from capsaudit.train.session import CHECKPOINT_SECONDS, Session
from capsaudit.train.splits import splits

BATCH = 128


class Timed(Session):
    """A run that knows how long its checkpoints take."""

    def save(self) -> None:
        started = time.perf_counter()
        super().save()
        self.saving = [*getattr(self, "saving", []), time.perf_counter() - started]


def shares(variant: str, data: Path | None, steps: int) -> None:
    """Of so many steps of a run: data and logs beside the steps themselves, and a checkpoint beside the time from one to the next."""
    with tempfile.TemporaryDirectory() as folder, processes("cpu") as group:
        wanted = Wanted(
            load_variant(variant), dataset_of("digits", data, None), Protocol(epochs=100), Path(folder), "cpu", None
        )
        settings = settings_of(wanted, group)
        run = begin_or_resume(Path(folder), settings, fork=False)
        session = Timed(run, splits(settings, wanted.dataset), group, seconds=1e9, watch=lambda _: None)
        session.go_on(lambda: session.optimiser.steps >= 3)
        rows, started = len(run.steps.rows()), time.perf_counter()
        session.go_on(lambda: session.optimiser.steps >= steps)
        wall = time.perf_counter() - started - session.saving[-1]
        stepping = sum(row["seconds"] for row in run.steps.rows()[rows:])
    print(
        f"{variant:<28}data and logs {1 - stepping / wall:6.2%} of the time; "
        f"a checkpoint {statistics.median(session.saving) / CHECKPOINT_SECONDS:6.2%} of {CHECKPOINT_SECONDS:.0f} s"
    )


class Plain(nn.Module):
    """Efficient-CapsNet with its decoder as one writes it in torch."""

    def __init__(self) -> None:
        super().__init__()
        shapes = ((1, 32, 5, 1), (32, 64, 3, 1), (64, 64, 3, 1), (64, 128, 3, 2))
        layers = (
            (nn.Conv2d(i, o, k, s), nn.ReLU(), nn.BatchNorm2d(o, eps=1e-3, momentum=0.01)) for i, o, k, s in shapes
        )
        self.features = nn.Sequential(*(each for layer in layers for each in layer))
        self.primary = nn.Conv2d(128, 128, 9, groups=128)
        self.weight = nn.Parameter(0.5 * torch.randn(10, 16, 8, 16))
        self.priors = nn.Parameter(torch.zeros(10, 16, 1))
        self.decoder = nn.Sequential(
            *(nn.Linear(160, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, 784), nn.Sigmoid())
        )

    def forward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        u = squash(self.primary(self.features(images)).view(-1, 16, 8))
        votes = torch.einsum("...ji,kjiz->...kjz", u, self.weight)
        agreement = torch.einsum("...ij,...kj->...i", votes, votes).unsqueeze(-1) / 4.0
        v = squash((votes * (agreement.softmax(1) + self.priors)).sum(-2))
        return v.norm(dim=-1), self.decoder((v * F.one_hot(targets, 10)[..., None]).flatten(1)).view_as(images)


def squash(s: Tensor) -> Tensor:
    length: Tensor = s.norm(dim=-1, keepdim=True)
    return (1 - 1 / (torch.exp(length) + 1e-20)) * s / (length + 1e-20)


def against_plain(rounds: int) -> None:
    """A step of each in turn."""
    torch.manual_seed(0)
    plain, ours = Plain(), build(load_variant("efficient-capsnet-decoder").spec)
    assert sum(each.numel() for each in plain.parameters()) == sum(each.numel() for each in ours.parameters())
    images, targets = torch.rand(BATCH, 1, 28, 28), torch.arange(BATCH) % 10
    steps = {
        "plain": stepping(lambda: plain(images, targets), torch.optim.Adam(plain.parameters()), images, targets),
        "ours": stepping(lambda: ours(images, targets)[::2], Adam(ours.parameters()), images, targets),
    }
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 2):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(each[2:]) for name, each in seconds.items()}
    print(f"{'efficient-capsnet-decoder':<28}{medians['plain'] / medians['ours']:.2f} × plain torch")


def stepping(
    forward: Callable[[], tuple[Tensor, Tensor]],
    optimiser: torch.optim.Optimizer | Adam,
    images: Tensor,
    targets: Tensor,
) -> Callable[[], None]:
    def step() -> None:
        optimiser.zero_grad()
        lengths, made = forward()
        (margin_loss(lengths, F.one_hot(targets, 10).to(lengths)) + reconstruction_loss(made, images)).backward()
        optimiser.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--keep-memory", action="store_true")
    options = parser.parse_args()
    kept = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
    if options.keep_memory and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        os.execve(sys.executable, [sys.executable, "-m", "tests.benchmarks.training", *sys.argv[1:]], os.environ | kept)
    for variant in ("paper", "efficient-capsnet-decoder"):
        shares(variant, options.data_dir, options.steps)
    against_plain(15)
    print(
        "limits:                     data and logs at most 2 %; a checkpoint at most 1 %; at least 1.50 × plain torch"
    )


if __name__ == "__main__":
    main()
