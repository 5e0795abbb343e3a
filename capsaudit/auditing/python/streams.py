"""What somebody else's code prints goes to standard error: standard output is for the result alone, which others read by machine."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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
