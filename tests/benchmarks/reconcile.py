"""What the search costs: against the plain product loop where both can run, and as spaces grow. `python -m tests.benchmarks.reconcile`.

Prints ratios. The limits are those that the project set itself: 100 × faster than the loop, 10 seconds and 1 GiB for 10^9.
"""

import itertools
import math
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

from capsaudit.catalogue import load_variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space
from capsaudit.conventions import counted
from capsaudit.families import impossible, layers
from capsaudit.interpretations.axes import applied, axes, size
from capsaudit.interpretations.search import Search
from capsaudit.interpretations.tables import tables
from capsaudit.knobs import flatten, to_data
from capsaudit.published import judge, parse_figure

FIGURE = parse_figure("11.36M")
HIDDEN = [[a, b] for a in (256, 384, 512, 768, 1024) for b in (512, 1024, 2048, 4096)]
KNOBS: dict[str, list[Any]] = {
    "image.size": [24, 28, 32, 36, 40, 48],
    "digit_caps.logits": ["zero", "trainable", "frozen"],
    "digit_caps.bias": [False, True],
    "primary_caps.types": [8, 16, 24, 32, 48, 64],
    "decoder.input": ["masked", "selected"],
    "conv1.channels": [64, 96, 128, 192, 256, 384],
    "digit_caps.shared_w": ["none", "grid", "all"],
    "image.channels": [1, 2, 3],
    "digit_caps.coupling": ["computed", "trainable"],
    "conv1.kernel": [3, 5, 7, 9, 11],
    "primary_caps.dimension": [4, 6, 8, 12, 16],
    "decoder.hidden": HIDDEN,
    "digit_caps.dimension": [4, 8, 12, 16, 24, 32],
    "conv1.bias": [True, False],
    "primary_caps.bias": [True, False],
    "digit_caps.classes": [5, 10, 11],
}
"""The first knobs alone make the smaller spaces; all of them make more than 10^9."""


COUNTS = (10**5, 10**6, 10**7, 10**8, 2 * 10**9)


def space(count: int) -> Space:
    """A space of at most `count` interpretations: knobs in order, the last of them cut to what fits."""
    knobs, left = [], count
    paper = flatten(to_data(load_variant("paper").spec)) | {"image.size": 28, "decoder.hidden": [512, 1024]}
    for name, values in KNOBS.items():
        kept = sorted(values, key=lambda value: value != paper[name])[: max(1, min(left, len(values)))]
        left //= len(kept)
        knobs.append(Knob(name, tuple(Alternative(value, 1, "the benchmark") for value in kept)))
    return Space("benchmark", "capsnet", "", tuple(knobs))


def whole(count: int) -> tuple[int, float]:
    """Everything that `reconcile` asks of the search; how many interpretations, and seconds."""
    start = load_variant("paper")
    begun = time.perf_counter()
    found = axes(space(count), start)
    search = Search(tables(start.spec, found))
    search.by_changes((FIGURE.low, FIGURE.high))
    search.by_changes((FIGURE.low // 2, FIGURE.high * 2))
    list(itertools.islice(search.within((FIGURE.low, FIGURE.high), changes=3), 1000))
    search.nearest((FIGURE.low, FIGURE.high), changes=None)
    return size(found), time.perf_counter() - begun


def loop(count: int) -> float:
    """The plain product, asked for the interval alone: every interpretation built as a spec and counted."""
    start = load_variant("paper").spec
    begun = time.perf_counter()
    for options in itertools.product(*(axis.options for axis in axes(space(count), load_variant("paper")))):
        spec, counting = applied(start, [change for option in options for change in option])
        if impossible(spec) is None:
            judge(FIGURE, sum(tensor.count for _, tensor in counted(layers(spec), counting)))
    return time.perf_counter() - begun


def alone(count: int) -> tuple[int, float, int]:
    """`whole` in a process of its own; peak memory in bytes as well."""
    code = f"from tests.benchmarks.reconcile import *; n, s = whole({count}); print(n, s, peak())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    return int(out[0]), float(out[1]), int(out[2])


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(rounds: int = 5) -> None:
    rows = [[alone(count) for count in COUNTS] for _ in range(rounds)]
    seconds = [statistics.median(row[i][1] for row in rows) for i in range(len(COUNTS))]
    ratio = statistics.median(loop(10**5) / whole(10**5)[1] for _ in range(3))
    print(f"the plain loop over {rows[0][0][0]:,}: {ratio:,.0f} × as long (at least 100)")
    for i, cost in enumerate(seconds):
        grown = f"{cost / seconds[0]:6.1f} × the first"
        memory = max(row[i][2] for row in rows) / 2**30
        print(f"{rows[0][i][0]:>13,} interpretations: {cost:6.2f} s, {grown}, {memory:.2f} GiB")
    exponent = math.log(seconds[-1] / seconds[0]) / math.log(rows[0][-1][0] / rows[0][0][0])
    print(f"exponent of the growth: {exponent:.2f}")


if __name__ == "__main__":
    main()
