"""The tensors of a GGUF file, from its header alone. No value is read, and neither torch nor NumPy is imported.

The file has a magic number, metadata, an entry for each tensor, and the values, of which each tensor's begin at a multiple of the alignment.
Values are stored in blocks, which hold a number of values in a number of bytes; the counts are of values.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import math
import os
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from capsaudit.arithmetic import Shape
from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.parts import Contents, Parts, refuse
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED, file_row
from capsaudit.inspection.paths import open_file
from capsaudit.inventory import InventoryTensor
from capsaudit.validation import shown

MAX_HEADER_BYTES = 100_000_000
"""As of safetensors. A vocabulary of 250,000 words takes 10 MB."""

MAX_ENTRIES = 1_000_000
"""Of metadata, and of tensors."""

_MAX_AXES = 4
"""The limit of ggml."""

_MAX_NESTING = 4
"""Arrays of arrays in the metadata; none are known to be in use."""

_ALIGNMENT_KEY, _DEFAULT_ALIGNMENT = b"general.alignment", 32


class Block(Struct, frozen=True):
    """How values are stored: `values` of them in `bytes`."""

    name: str
    values: int
    bytes: int


BLOCKS = {
    0: Block("F32", 1, 4),
    1: Block("F16", 1, 2),
    2: Block("Q4_0", 32, 18),
    3: Block("Q4_1", 32, 20),
    6: Block("Q5_0", 32, 22),
    7: Block("Q5_1", 32, 24),
    8: Block("Q8_0", 32, 34),
    10: Block("Q2_K", 256, 84),
    11: Block("Q3_K", 256, 110),
    12: Block("Q4_K", 256, 144),
    13: Block("Q5_K", 256, 176),
    14: Block("Q6_K", 256, 210),
    16: Block("IQ2_XXS", 256, 66),
    17: Block("IQ2_XS", 256, 74),
    18: Block("IQ3_XXS", 256, 98),
    19: Block("IQ1_S", 256, 50),
    20: Block("IQ4_NL", 32, 18),
    21: Block("IQ3_S", 256, 110),
    22: Block("IQ2_S", 256, 82),
    23: Block("IQ4_XS", 256, 136),
    24: Block("I8", 1, 1),
    25: Block("I16", 1, 2),
    26: Block("I32", 1, 4),
    27: Block("I64", 1, 8),
    28: Block("F64", 1, 8),
    29: Block("IQ1_M", 256, 56),
    30: Block("BF16", 1, 2),
    34: Block("TQ1_0", 256, 54),
    35: Block("TQ2_0", 256, 66),
    39: Block("MXFP4", 32, 17),
    40: Block("NVFP4", 64, 36),
    41: Block("Q1_0", 128, 18),
}
"""By their numbers in a file. Q8_1 and Q8_K are used in computations only, and other numbers were withdrawn."""

_DTYPES = {
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F64": "float64",
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
}
"""Blocks of one value, by the names that torch gives their dtypes."""

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""The bytes of a metadata value of a fixed size: integers, floating-point numbers and bool."""

_U32, _STRING, _ARRAY = 4, 8, 9
"""The types of metadata values that are looked at, or have no fixed size."""


class _Entry(Struct, frozen=True):
    """A tensor in the header. `begin`: where its values begin, from the first one of the file."""

    name: str
    shape: Shape
    block: Block
    begin: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) // self.block.values * self.block.bytes


def read(path: Path) -> Parts:
    """Read the header of a file, which has one network, or a shard of one.

    Raises:
        CapsauditError: the file cannot be read, or its header is not valid.
    """
    with open_file(path) as stream:
        header = _Header(stream, path)
        entries, alignment = header.entries()
        values = header.size - _aligned(header.position, alignment)
    refuse([f"{path}: {fault}" for fault in _layout_faults(entries, alignment, values)])
    return {"": Contents(tuple(map(_row, entries)), (_block_note(entries), TRAINABLE_ASSUMED))}


class _Header:
    """A header that is read from its beginning. `position`: the number of bytes that were read."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream, self.path, self.position = stream, path, 0
        self.size = os.fstat(stream.fileno()).st_size
        if (magic := self._bytes(4)) != b"GGUF":
            raise self.fault(f"begins with {magic!r}; a GGUF file begins with b'GGUF'")
        version = self._bytes(4)
        self.order = "<" if version[:2] != b"\0\0" else ">"  # the number is small, and tells the order of the bytes
        (number,) = struct.unpack(f"{self.order}I", version)
        if number not in (2, 3):
            raise self.fault(f"has version {number:,} of the format; versions 2 and 3 are read")

    def fault(self, text: str) -> CapsauditError:
        return CapsauditError(f"{self.path}: {text}")

    def entries(self) -> tuple[list[_Entry], int]:
        """The tensors, and the alignment of their values."""
        tensors, metadata = self._count("tensors"), self._count("metadata values")
        alignment = _DEFAULT_ALIGNMENT
        for _ in range(metadata):
            key, kind = self._text(), self._u32()
            if key == _ALIGNMENT_KEY and kind == _U32:
                alignment = self._u32()
            else:
                self._skip(kind, 0)
        if alignment == 0:
            raise self.fault("general.alignment is 0")
        return [self._entry() for _ in range(tensors)], alignment

    def _entry(self) -> _Entry:
        name = self._text().decode(errors="replace")
        if (axes := self._u32()) > _MAX_AXES:
            raise self.fault(f"{shown(name)} has {axes:,} axes; expected at most {_MAX_AXES}")
        shape = tuple(
            reversed([self._u64() for _ in range(axes)])
        )  # the first is the one whose values lie side by side
        if (block := BLOCKS.get(number := self._u32())) is None:
            raise self.fault(f"{shown(name)} is of block type {number:,}, whose size is not known")
        if (row := shape[-1] if shape else 1) % block.values:
            raise self.fault(
                f"{shown(name)} has rows of {row:,}; expected a multiple of {block.values} for {block.name}"
            )
        return _Entry(name, shape, block, self._u64())

    def _skip(self, kind: int, depth: int) -> None:
        """A metadata value."""
        if kind in _SIZES:
            self._pass(_SIZES[kind])
        elif kind == _STRING:
            self._pass(self._u64())
        elif kind == _ARRAY and depth < _MAX_NESTING:
            inner, length = self._u32(), self._u64()
            if inner in _SIZES:
                self._pass(_SIZES[inner] * length)
            else:
                self._skip_each(inner, length, depth + 1)
        else:
            raise self.fault(f"has a metadata value of type {kind:,}, which is not known, or nested too deeply")

    def _skip_each(self, kind: int, length: int, depth: int) -> None:
        for _ in range(length):  # each takes bytes, so that it ends with the header
            self._skip(kind, depth)

    def _count(self, what: str) -> int:
        if (count := self._u64()) > MAX_ENTRIES:
            raise self.fault(f"declares {count:,} {what}; at most {MAX_ENTRIES:,} are read")
        return count

    def _text(self) -> bytes:
        return self._bytes(self._u64())

    def _u32(self) -> int:
        return int(struct.unpack(f"{self.order}I", self._bytes(4))[0])

    def _u64(self) -> int:
        return int(struct.unpack(f"{self.order}Q", self._bytes(8))[0])

    def _bytes(self, count: int) -> bytes:
        self._advance(count)
        return self.stream.read(count)

    def _pass(self, count: int) -> None:
        """Bytes that nothing depends on."""
        self._advance(count)
        self.stream.seek(count, os.SEEK_CUR)

    def _advance(self, count: int) -> None:
        self.position += count
        if self.position > self.size:
            raise self.fault(
                f"ends within its header, which goes on to byte {self.position:,} at least; it has {self.size:,}"
            )
        if self.position > MAX_HEADER_BYTES:
            raise self.fault(f"has a header of more than {MAX_HEADER_BYTES:,} bytes")


def _aligned(position: int, alignment: int) -> int:
    """The next multiple of the alignment.

    >>> _aligned(64, 32), _aligned(65, 32)
    (64, 96)
    """
    return -(-position // alignment) * alignment


def _layout_faults(entries: Sequence[_Entry], alignment: int, values: int) -> Iterator[str]:
    """Whether each tensor has bytes of its own among the `values` bytes of the file, where its alignment lets it begin."""
    yield from (f"{shown(name)} is there twice" for name, n in Counter(each.name for each in entries).items() if n > 1)
    yield from (
        f"{shown(e.name)} begins at {e.begin:,}, no multiple of {alignment:,}" for e in entries if e.begin % alignment
    )
    placed = sorted((each.begin, each.begin + each.bytes, each.name) for each in entries)
    for (_, end, first), (begin, _, second) in pairwise(placed):
        if begin < end:
            yield f"{shown(first)} and {shown(second)} overlap: one ends at {end:,}, the other begins at {begin:,}"
    if (last := max((end for _, end, _ in placed), default=0)) > max(values, 0):
        yield f"its tensors have {last:,} bytes, but {max(values, 0):,} follow the header"


def _row(entry: _Entry) -> InventoryTensor:
    dtype = _DTYPES.get(entry.block.name, entry.block.name.lower())
    return file_row(entry.name, entry.shape, dtype, entry.bytes)


def _block_note(entries: Sequence[_Entry]) -> str:
    counted = Counter(each.block.name for each in entries)
    named = ", ".join(f"{name} ({count:,})" for name, count in counted.items())
    return f"GGUF, block types and their tensors: {named or 'none'}; values are counted, not blocks"
