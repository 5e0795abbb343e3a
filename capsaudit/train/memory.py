"""Peak memory of this process while something runs."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import torch


def forget_peak() -> None:
    """Start anew, where the system can: Linux and CUDA."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_bytes(device: str) -> int:
    """Peak since `forget_peak`: of the device's memory on an accelerator, of the process otherwise; 0 where the system reports none."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated())
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    try:
        import resource  # Unix only
    except ImportError:
        return 0
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilobyte
