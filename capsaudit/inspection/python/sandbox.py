"""Limits on a user's code while it runs: a time limit, and output sent to standard error.

Standard output is for the result alone, which programs read.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import TimeUp

GRACE = 1.0
"""Seconds from the alarm, which only reaches Python code, to the end of the process."""


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


_OUTPUT, _ERRORS = 1, 2


@contextmanager
def output_to_stderr() -> Iterator[None]:
    """Send everything meant for standard output to standard error: what Python prints, and what native code and children write."""
    before = sys.stdout, sys.stderr
    _flush(*before)
    with _descriptor_to_stderr():
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            _flush(*before, sys.stdout, sys.stderr)
            sys.stdout, sys.stderr = before


@contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    """The same one floor below. Where standard output is closed, there is nothing to keep clean."""
    try:
        kept = os.dup(_OUTPUT)
        os.dup2(_ERRORS, _OUTPUT)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.dup2(kept, _OUTPUT)
        os.close(kept)


def _flush(*streams: object) -> None:
    """What still lies in a buffer would be written later, to wherever the descriptor leads then."""
    for stream in {id(stream): stream for stream in (*streams, sys.__stdout__)}.values():
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()  # type: ignore[attr-defined]
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
