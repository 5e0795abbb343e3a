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
LIMIT_WITHOUT_INPUT = 0.5
LIMIT_WITH_INPUT = 1.5
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


def against_torchinfo(name: str, model: nn.Module, shape: tuple[int, ...]) -> None:
    """The same model without an input, then with one; what a capsule network computes is not determined."""
    count = sum(parameter.numel() for parameter in model.parameters())
    inputs = probe_inputs(model, [shape[1:]], batch=shape[0])
    without = medians(
        {"audit": lambda: capsaudit.audit(model), "torchinfo": lambda: torchinfo.summary(model, verbose=0)}
    )
    run = medians(
        {
            "audit": lambda: capsaudit.audit(model, inputs=inputs, behaviour=False),
            "torchinfo": lambda: torchinfo.summary(model, input_data=inputs, verbose=0),
        }
    )
    print(f"{name}, {count:,} parameters")
    for what, found, limit in (("no input", without, LIMIT_WITHOUT_INPUT), (f"input {shape}", run, LIMIT_WITH_INPUT)):
        milliseconds = "  ".join(f"{name} {1000 * seconds:7.2f} ms" for name, seconds in found.items())
        ratio = found["audit"] / found["torchinfo"]
        print(f"  {what:>24}: {milliseconds}  {ratio:5.2f} of torchinfo, limit {limit}")


def encoder() -> nn.Module:
    """14 layers as BERT's, all of whose 99,230,208 parameters are real."""
    layers = [nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True) for _ in range(14)]
    return nn.Sequential(*layers)


def convolutions() -> nn.Module:
    """43 of 3×3 and 512 channels, each with a normalisation and an activation."""
    blocks = [(nn.Conv2d(512, 512, 3, padding=1, bias=False), nn.BatchNorm2d(512), nn.ReLU()) for _ in range(43)]
    return nn.Sequential(*(layer for block in blocks for layer in block))


def fully_connected() -> nn.Module:
    """Few tensors and nothing else: torchinfo has the least to do here."""
    return nn.Sequential(*(nn.Linear(2048, 2048) for _ in range(24)))


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
    runs: dict[str, Callable[[nn.Module], object]] = {"inventory": inventory, "probe": lambda model: probe(model, (x,))}
    for what, run in runs.items():
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
    for batch in (1, 32, 128):
        against_torchinfo("the published network", capsaudit.build("paper"), (batch, 1, 28, 28))
    against_torchinfo("14 layers of a transformer", encoder(), (1, 16, 768))
    against_torchinfo("43 convolutions", convolutions(), (1, 512, 7, 7))
    against_torchinfo("24 fully connected layers", fully_connected(), (1, 2048))
    on_meta()
    scaling()
