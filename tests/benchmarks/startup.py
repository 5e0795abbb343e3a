"""How long commands take, as ratios to the imports that they cannot do without. `python -m tests.benchmarks.startup`.

The limits are those that the project set itself; they are printed beside the ratios and not asserted.
"""

from tests.benchmarks.processes import Cost, capsaudit, measured, python

LARGE = ("count", "--variant", "paper", "--set", "decoder=none", "--set", "digit_caps.dimension=10850694")
"""1152·10·8·10,850,694 = 10^12 parameters, to five digits."""

IMPORTS = {
    "import typer, rich": python("-c", "import typer, rich"),
    "import torch": python("-c", "import torch"),
}
COMMANDS = {
    "--help": ("import typer, rich", 2.5, capsaudit("--help")),
    "variants": ("import typer, rich", 2.5, capsaudit("variants")),
    "compare --witness formula": ("import typer, rich", 2.5, capsaudit("compare", "--witness", "formula")),
    "explain article multimnist": ("import typer, rich", 2.5, capsaudit("explain", "article", "multimnist")),
    "reconcile 8.2M, formula alone": ("import typer, rich", 8, capsaudit("reconcile", "8.2M", "--witness", "formula")),
    "count --variant paper": ("import torch", 1.2, capsaudit("count", "--variant", "paper")),
    "count, 10^12 parameters": ("count --variant paper", 1.5, capsaudit(*LARGE)),
}


def main(rounds: int = 11) -> None:
    costs = measured(IMPORTS | {name: command for name, (_, _, command) in COMMANDS.items()}, rounds=rounds)
    for name, (baseline, limit, _) in COMMANDS.items():
        ratio = costs[name].seconds / costs[baseline].seconds
        print(f"{name:<28} {ratio:5.2f} × {baseline:<22} (at most {limit})")
    print(f"{'its memory':<28} {_memory_ratio(costs):5.2f} × {'count --variant paper':<22} (at most 1.2)")


def _memory_ratio(costs: dict[str, Cost]) -> float:
    return costs["count, 10^12 parameters"].peak_bytes / costs["count --variant paper"].peak_bytes


if __name__ == "__main__":
    main()
