"""The real command line in a real process."""

import os
import subprocess
import sys
from pathlib import Path


def run(
    *arguments: str, columns: int = 80, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`capsaudit ARGUMENTS` as a user runs it, its output captured (so: piped, without a terminal)."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "capsaudit", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        timeout=120,
        check=False,
        env=inherited | {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"} | environment,
    )
