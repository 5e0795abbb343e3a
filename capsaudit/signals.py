"""SIGINT, SIGTERM and SIGHUP: the first one interrupts the command, which then ends in order; another one ends the process at once.

Nothing slow is imported here: signals are handled before the rest of capsaudit is imported.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

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
    for number in _handled():
        signal.signal(number, _interrupt)
    sys.unraisablehook = _unraisable


def received() -> int | None:
    """The number of the signal that was received first."""
    return _State.number


def finish() -> None:
    """From here on, a signal ends the process at once."""
    _State.at_once = True


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Hold the first signal back until the end of the block, which is given a function that says whether there is one.

    Another signal is not held back. In a thread that is not the main one, which no signal interrupts, nothing is held.
    """
    kept: list[int] = []
    before: dict[int, Any] = {}

    def keep(number: int, frame: FrameType | None) -> None:
        if kept:
            _restore(before)
            before[number](number, frame) if callable(before[number]) else signal.raise_signal(number)
        kept.append(number)
        if before[number] is _interrupt:
            _State.number = number

    if threading.current_thread() is threading.main_thread():
        for number in _handled():
            before[number] = signal.signal(number, keep)
    try:
        yield lambda: bool(kept)
    finally:
        _restore(before)
    if kept and before[kept[0]] is _interrupt:
        raise KeyboardInterrupt
    if kept:
        signal.raise_signal(kept[0])


def sentence(number: int) -> str:
    """What a signal has done to which command, for standard error."""
    return f"{_State.command} {_WORDS[signal.Signals(number).name]}"


def remove_temporary_files() -> None:
    """Remove what is left of them."""
    for name in [*temporary_files]:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108  # pathlib may not be imported yet
        temporary_files.discard(name)


def _handled() -> list[signal.Signals]:
    """The signals that this process does not ignore."""
    found = [getattr(signal, name, None) for name in _WORDS]  # Windows has no SIGHUP
    return [number for number in found if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None)]


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


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
