"""Running the command line: in a process of its own, as users do, or within this one, which is faster where torch is needed."""

import gc
import io
import os
import re
import select
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from unittest import mock

from capsaudit.__main__ import run as run_within


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
    *arguments: str, columns: int = 80, cwd: Path | None = None, unforeseen: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same within this process, as far as Python itself writes: output of native code is not captured.

    An error that nobody has foreseen fails the test, unless the test gives `unforeseen=True`. So does any warning that Python would show.
    """
    variables = _environment(columns, environment)
    encoding = variables["PYTHONIOENCODING"]
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2))
    with (
        _restored(),
        warnings.catch_warnings(),
        mock.patch.object(sys, "argv", ["capsaudit", *arguments]),
        mock.patch.object(sys, "stdout", stdout),
        mock.patch.object(sys, "stderr", stderr),
        mock.patch.dict(os.environ, variables, clear=True),
    ):
        warnings.simplefilter("ignore", DeprecationWarning)
        os.chdir(cwd or Path.cwd())
        code = run_within()
    printed, messages = (_text(stream, encoding) for stream in (stdout, stderr))
    assert unforeseen or "internal error" not in messages, messages
    return subprocess.CompletedProcess(["capsaudit", *arguments], code, printed, messages)


def imported_by(arguments: Sequence[str]) -> set[str]:
    """Modules that a command imports, as the interpreter itself reports; the command must succeed."""
    command = [sys.executable, "-X", "importtime", "-m", "capsaudit", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


class Terminal:
    """A terminal of 80 columns that a process may write to: progress bars are shown in terminals alone. Not on Windows."""

    def __init__(self) -> None:
        import pty

        self._reader, self.end = pty.openpty()
        self._read = b""

    def text(self) -> str:
        """Everything that was written so far."""
        while select.select([self._reader], [], [], 0)[0]:
            self._read += os.read(self._reader, 65_536)
        return self._read.decode(errors="replace")

    def wait_for(self, text: str, process: "subprocess.Popen[str]", *, seconds: float = 60) -> None:
        """Wait until a running process writes this; fail if it ends before or takes too long."""
        deadline = time.monotonic() + seconds
        while text not in self.text():
            assert process.poll() is None, f"the process ended before it wrote {text!r}: {self.text()}"
            assert time.monotonic() < deadline, f"the process did not write {text!r}: {self.text()}"
            time.sleep(0.02)
        assert process.poll() is None

    def close(self) -> None:
        """Close both ends."""
        os.close(self._reader)
        os.close(self.end)


@contextmanager
def start(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", Terminal]]:
    """A command in a process of its own that goes on running, with the terminal that its messages go to."""
    terminal = Terminal()
    # tests that themselves run in the background of a shell ignore interrupts, and their processes would inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "capsaudit", *arguments]
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=terminal.end, text=True, env=_environment(80, {"TERM": "xterm"})
        ) as process:
            try:
                yield process, terminal
            finally:
                process.kill()
    finally:
        terminal.close()


def ignoring(*signals: int) -> Callable[[], None]:
    """What a child process does before it starts: ignore these signals, and no others, whatever this process ignores itself."""

    def prepare() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if number in signals else signal.SIG_DFL)

    return prepare


def lines(shown: str) -> list[str]:
    """What a terminal shows, line by line, without colours; a line that is drawn again is there again."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", shown)
    return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def _environment(columns: int, added: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR")}
    return inherited | {"COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8"} | added


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
