"""Errors of somebody else's code as one line: what it was, and the line of theirs that it came from."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from capsaudit.errors import CapsauditError


class TimeUp(BaseException):
    """Raised wherever the code stands. No `Exception`, which somebody else's code may well catch and go on."""


_LONGEST = 300


@contextmanager
def told(what: str) -> Iterator[None]:
    """Any error as a `CapsauditError` that begins with `what`. An interrupt and the end of the time are nobody's error.

    Raises:
        CapsauditError: from the error, which --debug shows.
    """
    try:
        yield
    except (KeyboardInterrupt, TimeUp):
        raise
    except BaseException as error:
        raise CapsauditError(f"{what}: {in_a_line(error)}{place_of(error)}") from error


def in_a_line(error: BaseException) -> str:
    """Its class, and the first line of its text; the text is theirs too and may fail or be endless."""
    try:
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    except Exception:
        text = ""
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def place_of(error: BaseException) -> str:
    """`(file, line)` of the last step in their own code, or else of the last step at all; empty where nothing is known."""
    steps = [step for step in _steps(error.__traceback__) if not step[0].startswith("<frozen")]
    theirs = [step for step in steps if not _is_installed(step[0])]
    chosen = (theirs or steps)[-1:]
    return "".join(f" ({Path(file).name}, line {line})" for file, line in chosen)


def _steps(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def _is_installed(file: str) -> bool:
    """Whether a file belongs to Python, to an installed package or to this one."""
    own = str(Path(__file__).parents[1])
    return file.startswith((own, sys.prefix, *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))))
