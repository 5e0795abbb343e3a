"""What whole commands take: processes run interleaved, so that a noisy machine troubles all of them alike; medians of several."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """Medians of a command: seconds by the clock, peak memory in bytes."""

    seconds: float
    peak_bytes: float


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def capsaudit(*arguments: str) -> list[str]:
    """The installed console script beside this interpreter."""
    return [str(Path(sys.executable).parent / "capsaudit"), *arguments]


def measured(commands: Mapping[str, Sequence[str]], *, rounds: int) -> dict[str, Cost]:
    """Run each command once to warm the caches, then `rounds` times in turn."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for round_number in range(rounds + 1):
        for name, command in commands.items():
            cost = _run(command)
            if round_number:
                costs[name].append(cost)
    return {name: Cost(*map(statistics.median, zip(*found, strict=True))) for name, found in costs.items()}


def _run(command: Sequence[str]) -> Cost:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"failed: {' '.join(command)}")
    return Cost(seconds, usage.ru_maxrss * 1024)
