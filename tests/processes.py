"""Running the command line: in a process of its own, as users do, or within this one, which is faster where torch is needed."""

import gc
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from unittest import mock

from capsaudit import cli


def run(
    *arguments: str, columns: int = 80, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`capsaudit ARGUMENTS` as a user runs it, its output captured (so: piped, without a terminal)."""
    return subprocess.run(
        [sys.executable, "-m", "capsaudit", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        timeout=120,
        check=False,
        env=_environment(columns, environment),
    )


def invoke(
    *arguments: str, columns: int = 80, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same within this process, as far as Python itself writes: output of native code is not captured.

    An error that the command line does not turn into an exit code is raised.
    """
    variables = _environment(columns, environment)
    encoding = variables["PYTHONIOENCODING"]
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
    with (
        _restored(),
        mock.patch.object(sys, "argv", ["capsaudit", *arguments]),
        mock.patch.object(sys, "stdout", stdout),
        mock.patch.object(sys, "stderr", stderr),
        mock.patch.dict(os.environ, variables, clear=True),
    ):
        os.chdir(cwd or Path.cwd())
        code = _exit_code()
    printed, messages = (_text(stream, encoding) for stream in (stdout, stderr))
    return subprocess.CompletedProcess(["capsaudit", *arguments], code, printed, messages)


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str]", *, seconds: float = 60) -> None:
    """Wait for something that a running process does; fail if it ends before or takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the process ended before it could be interrupted"
        assert time.monotonic() < deadline, "the process took too long"
        time.sleep(0.02)


def _environment(columns: int, added: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    return inherited | {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"} | added


def _exit_code() -> int:
    """Run the command line as `python -m capsaudit` does. Like the interpreter, read None as 0."""
    try:
        cli.main()
    except SystemExit as end:
        assert end.code is None or isinstance(end.code, int)
        return end.code or 0
    return 0


@contextmanager
def _restored() -> Iterator[None]:
    """Undo what a command leaves behind: the collector's thresholds, folders to import from, and what was imported from there."""
    threshold, folder, path, bytecode = gc.get_threshold(), Path.cwd(), [*sys.path], sys.dont_write_bytecode
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        os.chdir(folder)
        added = tuple(f"{entry}{os.sep}" for entry in sys.path if entry not in path)
        for name in [name for name, module in sys.modules.items() if _file(module).startswith(added)]:
            del sys.modules[name]
        sys.path[:], sys.dont_write_bytecode = path, bytecode


def _file(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or ""


def _text(stream: io.TextIOWrapper, encoding: str) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(encoding)
