"""SIGINT, SIGTERM and SIGHUP: the first one interrupts the command, which then ends in order; another one ends the process at once.

Nothing slow is imported here: signals are handled before the rest of capsaudit is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
_STDERR = 2

temporary_files: set[str] = set()
"""The temporary files that exist, or are about to. They are removed even where the process ends at once."""


class _State:
    """`command`: as messages begin. `number`: the signal that was received first. `at_once`: the next signal ends the process."""

    command = "capsaudit:"
    number: int | None = None
    at_once = False


def handle() -> None:
    """Handle the signals, apart from those that the process was started to ignore, as `nohup` and shells in the background ask."""
    # now, because a model that is audited is given arguments of its own
    _State.command = " ".join(["capsaudit:", *[argument for argument in sys.argv[1:] if argument[:1] != "-"][:1]])
    for name in _WORDS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _unraisable


def received() -> int | None:
    """The number of the signal that was received first."""
    return _State.number


def finish() -> None:
    """From here on, a signal ends the process at once."""
    _State.at_once = True


def sentence(number: int) -> str:
    """What a signal has done to which command, for standard error."""
    return f"{_State.command} {_WORDS[signal.Signals(number).name]}"


def remove_temporary_files() -> None:
    """Remove what is left of them."""
    for name in [*temporary_files]:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108  # pathlib may not be imported yet
        temporary_files.discard(name)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    """Every signal is an interrupt: libraries let that pass, and may catch any other exception."""
    if _State.number is not None or _State.at_once:
        _end(number)
    _State.number = number
    raise KeyboardInterrupt


def _unraisable(error: sys.UnraisableHookArgs) -> None:
    """Python drops an interrupt that is raised in a `__del__` or a callback."""
    if isinstance(error.exc_value, KeyboardInterrupt) and _State.number is not None:
        _end(_State.number)
    sys.__unraisablehook__(error)


def _end(number: int) -> None:
    """End the process. Standard error is written to directly, because its buffer may be in use."""
    remove_temporary_files()
    with suppress(OSError):
        os.write(_STDERR, f"{sentence(number)}\n".encode(errors="replace"))
    os._exit(128 + number)
