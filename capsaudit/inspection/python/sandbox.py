"""Limits on a user's code while it runs: a time limit, and output redirected to standard error.

Standard output is reserved for the result, which other programs parse.
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
from typing import NoReturn, TextIO

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import TimeUp

GRACE_SECONDS = 1.0
"""Time from the alarm, which interrupts Python code only, to the end of the process."""

_STDOUT, _STDERR = 1, 2


@contextmanager
def time_limit(seconds: float, what: str) -> Iterator[None]:
    """Limit the run time of a block.

    Python code is interrupted by an error. Native code that does not return is ended with the process, with exit code 2.

    Raises:
        CapsauditError: the block took longer.
    """
    message = f"{what} took longer than {seconds:g} s; set a longer limit with --timeout"
    done, end = threading.Event(), time.monotonic() + seconds
    grace = GRACE_SECONDS if _has_alarm() else 0.0
    threading.Thread(target=_watch, args=(done, seconds + grace, message), daemon=True).start()
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
        done.set()
    if time.monotonic() > end:
        raise CapsauditError(message)


def _watch(done: threading.Event, seconds: float, message: str) -> None:
    """End the process at the limit. Results are printed at the end only, so no partial output is lost."""
    if not done.wait(seconds):
        os.write(_STDERR, f"capsaudit: {message}\n".encode(errors="backslashreplace"))
        os._exit(2)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `TimeUp` in the main thread once, if the system supports it."""
    if not _has_alarm():
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


def _has_alarm() -> bool:
    """Signals reach the main thread only, and Windows has no alarm."""
    return hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()


def _raise(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TimeUp


@contextmanager
def output_to_stderr() -> Iterator[None]:
    """Redirect standard output to standard error, including the output of native code and child processes."""
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
    """Redirect the file descriptor. If standard output is closed, there is nothing to redirect."""
    try:
        saved = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.dup2(saved, _STDOUT)
        os.close(saved)


def _flush(*streams: TextIO | None) -> None:
    """Flush Python's and C's buffers: what they contain would otherwise be written after the descriptor has changed."""
    for stream in {id(stream): stream for stream in (*streams, sys.__stdout__) if stream is not None}.values():
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
