"""What auditing a model costs: against torchinfo where both can, in seconds where torchinfo cannot, and by the number of tensors.

python -m tests.benchmarks.audit
"""

import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torchinfo
from torch import Tensor, nn

import capsaudit
from capsaudit.inspection.files.safetensors import read_header
from capsaudit.inspection.modules.forward import probe_inputs
from capsaudit.inspection.modules.probe import probe
from capsaudit.inspection.modules.tensors import inventory
from tests.benchmarks.processes import capsaudit as capsaudit_
from tests.benchmarks.processes import measured

ROUNDS = 7
LIMIT_OF_TORCHINFO = 1.2
LIMIT_ON_META = 0.2
LIMIT_OF_HEADER = 0.5


def medians(runs: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS) -> dict[str, float]:
    """Seconds: each once to warm up, then in turn, so that a noisy machine troubles all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if round_number:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in seconds.items()}


def against_torchinfo(batch: int) -> None:
    """The published network of 8,215,568 parameters."""
    model = capsaudit.build("paper")
    inputs = probe_inputs(model, [(1, 28, 28)], batch=batch)
    found = medians(
        {
            "audit": lambda: capsaudit.audit(model, inputs=inputs),
            "inventory alone": lambda: inventory(model),
            "torchinfo": lambda: torchinfo.summary(model, input_size=(batch, 1, 28, 28), verbose=0),
        }
    )
    print(f"batch {batch}")
    for name, seconds in found.items():
        print(f"{name:>16} {1000 * seconds:8.1f} ms  {seconds / found['torchinfo']:5.2f} of torchinfo")
    print(f"{'limit':>16} {'':11}  {LIMIT_OF_TORCHINFO:5.2f}")


def on_meta() -> None:
    """10**11 parameters, none of them allocated."""
    with torch.device("meta"):
        model = nn.ModuleList(nn.Linear(100_000, 100_000, bias=False) for _ in range(10))
    seconds = medians({"meta": lambda: inventory(model)})["meta"]
    print(f"10^11 on meta: {1000 * seconds:.1f} ms, limit {1000 * LIMIT_ON_META:.0f} ms")


def _summed(model: nn.ModuleList, x: Tensor) -> Tensor:
    total: Tensor = functools.reduce(torch.add, (layer(x) for layer in model))
    return total


def scaling() -> None:
    """Ten times the tensors should take ten times as long."""
    models = {count: nn.ModuleList(nn.Linear(1, 1) for _ in range(count // 2)) for count in (10_000, 100_000)}
    x = torch.ones(1, 1)
    for model in models.values():
        model.forward = functools.partial(_summed, model)
    for what, run in {"inventory": inventory, "probe": lambda model: probe(model, (x,))}.items():
        small, large = (medians({"": functools.partial(run, model)}, rounds=3)[""] for model in models.values())
        print(f"{what} of 10^4 tensors {small:.2f} s, of 10^5 {large:.2f} s: {large / small:.1f} times as long")


def of_a_header() -> None:
    """A file of 10^5 tensors, whose header alone is read, as a whole command."""
    count = 100_000
    entries = {
        f"layers.{n}.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [24 * n, 24 * n + 24]}
        for n in range(count)
    }
    header = json.dumps(entries).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.safetensors"
        with path.open("wb") as stream:
            stream.write(len(header).to_bytes(8, "little") + header)
            stream.truncate(8 + len(header) + 24 * count)
        claims = Path(folder) / "large.claims.toml"
        claims.write_text('source = "me"\ntarget = "large.safetensors"\n[[claims]]\nstated = "600,000"\n')
        costs = measured({"start-up": capsaudit_("--help"), "header": capsaudit_("audit", str(claims))}, rounds=ROUNDS)
        alone = medians({"": lambda: read_header(path)})[""]
    over = costs["header"].seconds - costs["start-up"].seconds
    print(
        f"header of 10^5 tensors: read in {alone:.2f} s, the whole command {over:.2f} s over start-up, limit {LIMIT_OF_HEADER} s"
    )


if __name__ == "__main__":
    of_a_header()
    for batch in (1, 2, 32, 128):
        against_torchinfo(batch)
    on_meta()
    scaling()
