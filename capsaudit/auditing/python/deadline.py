"""An end to what does not end: somebody else's import, constructor or forward pass."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from capsaudit.errors import CapsauditError

GRACE = 1.0
"""Seconds from the alarm, which only reaches Python code, to the end of the process."""


class TimeUp(BaseException):
    """Raised wherever the code stands. No `Exception`, which somebody else's code may well catch and go on."""


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """End what takes longer: by an error where Python runs, by the end of the process (exit code 2) where native code does not return.

    Raises:
        CapsauditError: it took longer.
    """
    message = f"{what} took longer than {seconds:g} s; --timeout gives it more"
    over, end = threading.Event(), time.monotonic() + seconds
    grace = GRACE if _alarm_possible() else 0.0
    threading.Thread(target=_watch, args=(over, seconds + grace, message), daemon=True).start()
    try:
        with _alarm(seconds):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, TimeUp) or time.monotonic() > end:
            raise CapsauditError(message) from error
        raise
    finally:
        over.set()
    if time.monotonic() > end:
        raise CapsauditError(message)


def _watch(over: threading.Event, seconds: float, message: str) -> None:
    """The second line: the result is printed only at the end, so that nothing half done is lost with the process."""
    if not over.wait(seconds):
        os.write(2, f"capsaudit: {message}\n".encode(errors="backslashreplace"))
        os._exit(2)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Interrupt the main thread once, where the system can."""
    if not _alarm_possible():
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, before)


def _alarm_possible() -> bool:
    """Signals reach the main thread alone, and Windows has no alarm."""
    return hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()


def _raise(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TimeUp
