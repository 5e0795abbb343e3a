"""Standard output and standard error, whatever they are: closed, on a full disk, or with a reader that has seen enough."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from capsaudit.errors import CapsauditError
from capsaudit.render.encoding import ERRORS

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class Output(io.TextIOWrapper):
    """Standard output. A reader that has seen enough (`| head`) is no error.

    Raises:
        CapsauditError: when it is written to or flushed, and cannot be written.
    """

    def write(self, text: str, /) -> int:
        """Write to the buffer, and from there if it is full or ends a line of a terminal."""
        with self._checked():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with self._checked():
            super().flush()

    def discard(self) -> None:
        """Discard what is buffered and all that follows."""
        with suppress(io.UnsupportedOperation):  # no file, but a buffer in memory
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.discard()
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            reason = "standard output is closed" if error.errno == errno.EBADF else error.strerror
            raise CapsauditError(f"the result could not be written: {reason}") from error


class Messages(Output):
    """Standard error. Where it cannot be written there is nobody to be told."""

    def _failed(self, error: OSError) -> None:
        pass


@contextmanager
def standard_streams() -> Iterator[Output]:
    """Replace standard output, which the block is given, and standard error."""
    before = sys.stdout, sys.stderr
    _fill_closed_descriptors()
    output = _over(Output, sys.stdout, _STDOUT)
    messages = _over(Messages, sys.stderr, _STDERR)
    sys.stdout, sys.stderr = output, messages
    try:
        yield output
    finally:
        sys.stdout, sys.stderr = before
        for stream in (output, messages):
            with suppress(CapsauditError, ValueError):
                stream.detach()  # the buffer belongs to the stream that was there before


def _fill_closed_descriptors() -> None:
    """Open a closed standard stream as one that has nothing to read, or cannot be written: the next file that is opened would take
    its place otherwise, and be given the output of native code.
    """
    for descriptor, mode in ((_STDIN, os.O_RDONLY), (_STDOUT, os.O_RDONLY), (_STDERR, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free: this one


def _over(kind: type[Output], stream: TextIO | None, descriptor: int) -> Output:
    """Over the buffer of a stream; None: it was closed when Python started."""
    if stream is None:
        return kind(open(descriptor, "wb", closefd=False), encoding="utf-8", errors=ERRORS)
    return kind(stream.buffer, encoding=stream.encoding, errors=ERRORS, line_buffering=bool(stream.line_buffering))
