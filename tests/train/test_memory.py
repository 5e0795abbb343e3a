"""Peak memory of this process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from capsaudit.train import memory
from capsaudit.train.memory import forget_peak, peak_bytes

MEGABYTE = 2**20

forgetting = pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="only Linux forgets its peak")


ALLOCATING = """
import torch
from capsaudit.train.memory import forget_peak, peak_bytes
forget_peak()
before = peak_bytes("cpu")
values = torch.ones(64 * 2**20 // 4)
print(peak_bytes("cpu") - before, int(values.sum()))
"""


@forgetting
def test_what_is_allocated_raises_the_peak() -> None:
    """64 MiB of ones are really there, in a process that has freed nothing that they could take the place of."""
    done = subprocess.run([sys.executable, "-c", ALLOCATING], capture_output=True, text=True, check=True)
    raised, ones = map(int, done.stdout.split())
    assert raised > 48 * MEGABYTE
    assert ones == 64 * MEGABYTE // 4


@forgetting
def test_a_peak_is_forgotten() -> None:
    values = torch.ones(256 * MEGABYTE // 4)
    high = peak_bytes("cpu")
    del values
    forget_peak()
    assert peak_bytes("cpu") < high - 128 * MEGABYTE


def test_a_system_without_proc_reports_the_peak_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """In kilobytes, as Linux counts them, or in bytes, as macOS does."""

    def nowhere(name: str) -> Path:
        raise FileNotFoundError(name)

    real = peak_bytes("cpu")
    monkeypatch.setattr(memory, "Path", nowhere)
    kilobytes = peak_bytes("cpu")
    assert kilobytes >= real * 0.5
    monkeypatch.setattr(sys, "platform", "darwin")
    assert peak_bytes("cpu") * 1024 == kilobytes
