"""Errors raised by a user's code, reported in one line with the file and line of that code."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from capsaudit.errors import CapsauditError

_MAX_LENGTH = 300


@contextmanager
def translate_errors(context: str) -> Iterator[None]:
    """Raise any error as a `CapsauditError` whose message begins with `context`.

    Raises:
        CapsauditError: the block raised an error, which is its cause.
    """
    try:
        yield
    except BaseException as error:
        raise CapsauditError(f"{context}: {one_line(error)}{location(error)}") from error


def one_line(error: BaseException) -> str:
    r"""The class and the first line of the message. `str(error)` is a user's code too: it may raise or be very long.

    >>> one_line(ValueError("first line\nsecond line"))
    'ValueError: first line'
    """
    try:
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    except Exception:
        text = ""
    short = text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def location(error: BaseException) -> str:
    """` (file, line N)` of the last frame in a user's code, or else of the last frame; empty without a traceback."""
    frames = [frame for frame in _frames(error.__traceback__) if not frame[0].startswith("<frozen")]
    users = [frame for frame in frames if not _is_installed(frame[0])]
    last = (users or frames)[-1:]
    return "".join(f" ({Path(file).name}, line {line})" for file, line in last)


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def _is_installed(file: str) -> bool:
    """Whether a file belongs to Python, to an installed package or to capsaudit."""
    own = str(Path(__file__).parents[1])
    return file.startswith((own, sys.prefix, *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))))
