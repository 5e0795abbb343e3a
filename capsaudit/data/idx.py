"""IDX files, the format of MNIST: two zero bytes, a type, the number of axes, their sizes as big-endian integers, then the bytes."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path

import torch
from torch import Tensor

from capsaudit.errors import DataError

_UNSIGNED_BYTE = 8
LARGEST_BYTES = 600_000_000
"""Of a file unpacked. The largest published data set in this format, the 697,932 images of 28×28 of EMNIST ByClass, has 547 MB."""


def read_idx(path: Path, *, axes: int) -> Tensor:
    """A file of unsigned bytes with this many axes, gzipped or not.

    Raises:
        DataError: it cannot be read, is damaged, or is another kind of file.
    """
    content = unpacked(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTE:
        raise DataError(f"{path}: is no IDX file of unsigned bytes")
    if content[3] != axes:
        kind = {1: "labels", 3: "images"}
        found, wanted = kind.get(content[3], f"{content[3]} axes"), kind.get(axes, f"{axes} axes")
        raise DataError(f"{path}: contains {found}; expected {wanted}. Are two files swapped?")
    start = 4 + 4 * axes
    sizes = [int.from_bytes(content[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(axes)]
    if len(content) != start + math.prod(sizes):
        promised = "×".join(f"{size:,}" for size in sizes)
        raise DataError(f"{path}: declares {promised} bytes after its header and has {max(len(content) - start, 0):,}")
    if not math.prod(sizes):
        raise DataError(f"{path}: is empty: it contains no {'labels' if axes == 1 else 'images'}")
    return torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8).view(sizes)


def unpacked(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is gzipped.

    Raises:
        DataError: it cannot be read, or the archive is damaged or absurdly large.
    """
    try:
        with path.open("rb") as stream:
            return unpack(stream, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def unpack(stream: io.BufferedIOBase, name: str) -> bytes:
    """The same for an open file, or a buffer in memory; `name` is what messages call it."""
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    try:
        content = (gzip.GzipFile(fileobj=stream) if packed else stream).read(LARGEST_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: is a damaged archive: {error}") from error
    if len(content) > LARGEST_BYTES:
        raise DataError(f"{name}: is larger than {LARGEST_BYTES:,} bytes unpacked")
    return content
