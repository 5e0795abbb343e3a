"""The log of a run: one JSON object a line, added as the run goes on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from msgspec import Struct

from capsaudit.errors import CapsauditError, FileError

Row = dict[str, Any]
"""Values that depend on the clock or on memory have `seconds`, `time` or `memory` in their names."""


class Extent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a file was, and the checksum of so many bytes."""

    bytes: int
    sha256: str


def extent(content: bytes) -> Extent:
    """Of the content of a file."""
    return Extent(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


class Log:
    """A file of rows.

    Raises:
        CapsauditError: by each method that writes, where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Make the file, without rows, where there is none."""
        self._write(b"")

    def append(self, row: Row) -> None:
        """Add a row. It is written at once; only `sync` says that it is on the disk."""
        self._write(json.dumps(row, allow_nan=False).encode() + b"\n")

    def sync(self) -> Extent:
        """Have all rows on the disk; returns how far they reach."""
        self._write(b"", sync=True)
        return extent(self._content())

    def cut(self, kept: Extent) -> None:
        """Remove what was added after a checkpoint.

        Raises:
            FileError: what was there at the checkpoint is there no more.
        """
        self._until(kept)
        if len(self._content()) > kept.bytes:
            try:
                os.truncate(self.path, kept.bytes)
            except OSError as error:
                raise CapsauditError(f"{self.path}: cannot be written: {error.strerror}") from error

    def rows(self, until: Extent | None = None) -> list[Row]:
        """All rows, without one that is not whole; or those that were there at a checkpoint.

        Raises:
            FileError: what was there at the checkpoint is there no more.
        """
        content = self._content() if until is None else self._until(until)
        return [json.loads(line) for line in content.splitlines(keepends=True) if line.endswith(b"\n")]

    def _until(self, kept: Extent) -> bytes:
        content = self._content()[: kept.bytes]
        if extent(content) != kept:
            raise FileError(
                f"{self.path}: its first {kept.bytes:,} bytes are not those of the last checkpoint; "
                "expected the log that this run has written"
            )
        return content

    def _write(self, line: bytes, *, sync: bool = False) -> None:
        try:
            with self.path.open("ab", buffering=0) as stream:
                if line and stream.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if sync:
                    os.fsync(stream.fileno())
        except OSError as error:
            raise CapsauditError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _content(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise FileError(f"{self.path}: cannot be read: {error.strerror}") from error
