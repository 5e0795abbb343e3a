"""A training step and inference, as ratios to the references. `python -m tests.benchmarks.step [--size 36]`.

Each network lives in a process of its own, as it does in real use, and the processes take turns: one step of each, round after
round. (In one process the references' hundreds of megabytes, handed back to the system and fetched again in each step, would also
slow down whoever comes next.) The limits that the project set itself are printed beside the ratios and not asserted.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit.catalogue import load_variant
from capsaudit.models import build
from capsaudit.train.losses import margin_loss, reconstruction_loss
from capsaudit.train.optimiser import Adam
from tests.benchmarks.references import Reference

BATCH = 64


def ours(*settings: str, size: int) -> nn.Module:
    return build(load_variant("paper", settings=[f"image.size={size}", *settings]).spec)


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "textbook": lambda size: Reference("textbook", size=size),
    "without routing": lambda size: Reference("none", size=size),
    "capsaudit, last iteration": lambda size: ours("digit_caps.gradient=last", size=size),
    "capsaudit, all iterations": lambda size: ours("digit_caps.gradient=all", size=size),
    "capsaudit, shared-w-grid": lambda size: ours("digit_caps.shared_w=grid", size=size),
    "capsaudit, shared-w-all": lambda size: ours("digit_caps.shared_w=all", size=size),
}


class Trainee:
    """A network, its optimiser and a batch. The references train as torch does by default, capsaudit as its own commands do."""

    def __init__(self, name: str, size: int) -> None:
        torch.manual_seed(0)
        self.network = NETWORKS[name](size)
        parameters = list(self.network.parameters())
        self.optimiser = Adam(parameters) if name.startswith("capsaudit") else torch.optim.Adam(parameters, lr=0.001)
        self.images = torch.rand(BATCH, 1, size, size)
        self.targets = torch.arange(BATCH) % 10

    def outputs(self) -> tuple[Tensor, Tensor]:
        output = self.network(self.images, self.targets)
        return output if isinstance(self.network, Reference) else (output.scores, output.reconstruction)

    def step(self) -> None:
        self.optimiser.zero_grad()
        lengths, reconstruction = self.outputs()
        present = F.one_hot(self.targets, 10).to(lengths)
        (margin_loss(lengths, present) + reconstruction_loss(reconstruction, self.images)).backward()
        self.optimiser.step()

    @torch.no_grad()
    def infer(self) -> None:
        self.outputs()


def seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def peak_bytes() -> int:
    """Of this process, torch itself included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def serve(name: str, size: int, pipe: Connection) -> None:
    """Take a step, or infer, whenever asked; peak memory is read after the first steps and before any inference."""
    trainee = Trainee(name, size)
    for _ in range(3):
        trainee.step()
    pipe.send(peak_bytes())
    while (wish := pipe.recv()) is not None:
        pipe.send(seconds(trainee.step if wish == "step" else trainee.infer))


class Worker:
    """A network in a process of its own."""

    def __init__(self, name: str, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(name, size, theirs), daemon=True)
        self.process.start()
        self.peak: int = self.pipe.recv()
        self.found: dict[str, list[float]] = {"step": [], "infer": []}

    def measure(self, wish: str) -> None:
        self.pipe.send(wish)
        self.found[wish].append(self.pipe.recv())

    def median(self, wish: str) -> float:
        return statistics.median(self.found[wish])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    workers = {name: Worker(name, options.size) for name in NETWORKS}
    for wish in ("step", "infer"):
        for _ in range(options.rounds):
            for worker in workers.values():
                worker.measure(wish)
    textbook, plain = workers["textbook"], workers["without routing"]
    print(
        f"{'batch 64':<26}{'step, s':>9}{'× textbook':>12}{'× no routing':>14}{'inference × textbook':>22}{'peak × textbook':>17}{'images/s':>10}"
    )
    for name, worker in workers.items():
        step = worker.median("step")
        ratios = (
            textbook.median("step") / step,
            plain.median("step") / step,
            textbook.median("infer") / worker.median("infer"),
        )
        print(
            f"{name:<26}{step:9.3f}{ratios[0]:12.2f}{ratios[1]:14.2f}{ratios[2]:22.2f}{worker.peak / textbook.peak:17.2f}{BATCH / step:10.1f}"
        )
    for worker in workers.values():
        worker.pipe.send(None)
    print(
        "at least, last iteration:      2.70          1.35                  2.50      (at most) 0.45; all iterations: × no routing 1.10"
    )


if __name__ == "__main__":
    main()
