"""A safetensors file by its header, which alone names every tensor: no value is read, and neither torch nor numpy is imported.

The file is 8 bytes that say how long the header is, the header in JSON, and the values without a gap. What the header says is held
against the length of the file and against itself, since a count is only as good as the header.
"""

from __future__ import annotations

import gc
import json
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta, Struct

from capsaudit.arithmetic import Shape
from capsaudit.errors import CapsauditError, FileError
from capsaudit.inspection.files.rows import file_row
from capsaudit.inspection.paths import open_file
from capsaudit.inventory import AuditedTensor
from capsaudit.validation import Fault, faults_of, nearest, shown

LARGEST_HEADER = 100_000_000
"""The limit of the format itself."""

_MOST_AXES = 64
_MOST_FAULTS = 20

_METADATA = "__metadata__"


class _Dtype(Struct, frozen=True):
    """A dtype by the name that torch has for it, and the bits of one value."""

    name: str
    bits: int


_DTYPES = {
    "F64": _Dtype("float64", 64),
    "F32": _Dtype("float32", 32),
    "F16": _Dtype("float16", 16),
    "BF16": _Dtype("bfloat16", 16),
    "F8_E4M3": _Dtype("float8_e4m3fn", 8),
    "F8_E5M2": _Dtype("float8_e5m2", 8),
    "F8_E4M3FNUZ": _Dtype("float8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": _Dtype("float8_e5m2fnuz", 8),
    "F8_E8M0": _Dtype("float8_e8m0fnu", 8),
    "F6_E2M3": _Dtype("float6_e2m3fn", 6),
    "F6_E3M2": _Dtype("float6_e3m2fn", 6),
    "F4": _Dtype("float4_e2m1fn", 4),
    "I64": _Dtype("int64", 64),
    "I32": _Dtype("int32", 32),
    "I16": _Dtype("int16", 16),
    "I8": _Dtype("int8", 8),
    "U64": _Dtype("uint64", 64),
    "U32": _Dtype("uint32", 32),
    "U16": _Dtype("uint16", 16),
    "U8": _Dtype("uint8", 8),
    "BOOL": _Dtype("bool", 8),
    "C64": _Dtype("complex64", 64),
}

_Size = Annotated[int, Meta(ge=0, le=2**63 - 1, description="an integer from 0 and below 2^63")]
_Table = dict[str, str | tuple[_Size, ...]]
"""A table of the header, be it a tensor or the metadata: one type for both, so that all of it is read in one go."""


class _Entry(Struct, frozen=True):
    """A tensor in the header. Read as such only where something is wrong with it, to say what."""

    dtype: str
    shape: tuple[_Size, ...]
    data_offsets: tuple[_Size, ...]


_FIELDS = frozenset(_Entry.__struct_fields__)


def read_header(path: Path) -> tuple[AuditedTensor, ...]:
    """Every tensor of the file, in the order of its header.

    Raises:
        CapsauditError: the file cannot be read, or its header does not fit it.
    """
    with open_file(path) as stream:
        header, room = _header(stream, path)
    with _collecting_nothing():
        entries = _entries(header, path)
        _refuse(path, _layout_faults(entries, room))
        return tuple(_row(name, entry) for name, entry in entries.items())


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """A large header makes a million values that are all kept: looking for garbage among them doubles the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _header(stream: BinaryIO, path: Path) -> tuple[bytes, int]:
    """The header, and how many bytes the file has behind it."""
    size = os.fstat(stream.fileno()).st_size
    if size < 8:
        raise CapsauditError(
            f"{path}: has {size} bytes; a safetensors file begins with 8 that say how long its header is"
        )
    length = int.from_bytes(stream.read(8), "little")
    if length > LARGEST_HEADER:
        raise CapsauditError(f"{path}: says its header has {length:,} bytes; the format allows {LARGEST_HEADER:,}")
    if length > size - 8:
        raise CapsauditError(f"{path}: says its header has {length:,} bytes; only {size - 8:,} follow")
    return stream.read(length), size - 8 - length


def _entries(header: bytes, path: Path) -> dict[str, Any]:
    """The tensors, each right by itself."""
    try:
        entries: dict[str, Any] = msgspec.json.decode(header, type=dict[str, _Table])
    except (ValueError, RecursionError) as error:
        raise FileError(_whats_wrong(header, path, error)) from error
    metadata: _Table | None = entries.pop(_METADATA, None)
    _refuse(path, _metadata_faults(metadata or {}))
    _refuse(path, (f"{shown(name)}: {fault}" for name, entry in entries.items() for fault in _entry_faults(entry)))
    if _may_repeat(header, 5 * len(entries) + (0 if metadata is None else 1 + 2 * len(metadata))):
        _refuse(path, _repeated(header))
    return entries


def _whats_wrong(header: bytes, path: Path, error: Exception) -> list[str]:
    """Why the header is no table of tables; where it is, the fault of each tensor."""
    try:
        content = msgspec.json.decode(header.decode())
    except UnicodeDecodeError as wrong:
        return [f"{path}: its header is not UTF-8 (byte {wrong.start:,}: {wrong.reason})"]
    except RecursionError:
        return [f"{path}: its header is nested too deeply"]
    except ValueError as wrong:
        return [f"{path}: its header is not JSON: {wrong}"]
    if not isinstance(content, dict):
        return [f"{path}: its header is {shown(content)}; expected a table of tensors"]
    return [f"{path}: {fault}" for fault in _limited(_content_faults(content))] or [f"{path}: its header: {error}"]


def _content_faults(content: dict[str, Any]) -> Iterator[str]:
    for name, entry in content.items():
        if name == _METADATA:
            yield from _metadata_faults(entry)
        else:
            yield from (f"{shown(name)}: {_said(fault)}" for fault in faults_of(entry, _Entry)[1])


def _said(fault: Fault) -> str:
    return f"{fault.path} {fault.message}" if fault.path else fault.message


def _metadata_faults(metadata: object) -> Iterator[str]:
    if not isinstance(metadata, dict):
        yield f"{_METADATA} is {shown(metadata)}; expected a table of texts"
        return
    for key, value in metadata.items():
        if not isinstance(value, str):
            yield f"{_METADATA}: {shown(key)} is {shown(value)}; expected a text"


def _may_repeat(header: bytes, texts: int) -> bool:
    """Whether a key may have come twice, of which the decoder keeps the last. `texts`: those that it kept, five for each tensor.

    Each text has two quotes, and more where quotes are escaped in it: with no more than two for each kept, none was lost.
    """
    return header.count(b'"') != 2 * texts


def _repeated(header: bytes) -> list[str]:
    """The keys that come twice in their table, the slow way."""
    faults: list[str] = []

    def tell(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                faults.append(f"its header has {shown(key)} twice in one table")
            seen.add(key)

    json.loads(header, object_pairs_hook=tell)
    return faults


def _entry_faults(entry: Any) -> Iterator[str]:
    """What is wrong with one tensor by itself."""
    try:
        dtype, shape, (begin, end) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        if len(entry) == 3 and len(shape) <= _MOST_AXES and end - begin == _bytes(dtype, shape):
            return
    except (KeyError, TypeError, ValueError):
        pass
    yield from _entry_faults_told(entry)


def _entry_faults_told(entry: dict[str, Any]) -> Iterator[str]:
    faults = [_said(fault) for fault in faults_of(entry, _Entry)[1]]
    faults += [f"{shown(key)} is unknown; {nearest(key, _FIELDS)}" for key in entry if key not in _FIELDS]
    if faults:
        yield from faults
    elif (dtype := _DTYPES.get(entry["dtype"])) is None:
        yield f"dtype is {shown(entry['dtype'])}; {nearest(entry['dtype'], _DTYPES)}"
    elif len(entry["data_offsets"]) != 2:
        yield f"data_offsets is {shown(entry['data_offsets'])}; expected where its values begin and where they end"
    elif len(entry["shape"]) > _MOST_AXES:
        yield f"shape has {len(entry['shape']):,} axes; expected at most {_MOST_AXES}"
    else:
        yield _misfit(entry, dtype)


def _misfit(entry: dict[str, Any], dtype: _Dtype) -> str:
    begin, end = entry["data_offsets"]
    whole, rest = divmod(math.prod(entry["shape"]) * dtype.bits, 8)
    has = (
        "too many bytes for any file" if whole >= 2**63 else f"{whole:,} bytes" + (f" and {rest} bits" if rest else "")
    )
    return (
        f"{shown(entry['shape'])} of {entry['dtype']} has {has}; data_offsets {begin:,} to {end:,} have {end - begin:,}"
    )


def _bytes(dtype: _Dtype, shape: Shape) -> int | None:
    """How long its values are; None where they do not end with a byte."""
    whole, rest = divmod(math.prod(shape) * dtype.bits, 8)
    return None if rest else whole


def _layout_faults(entries: dict[str, Any], room: int) -> Iterator[str]:
    """Whether the tensors, laid side by side, are the values of the file: each byte once."""
    placed = sorted((*entry["data_offsets"], name) for name, entry in entries.items())
    for (_, before, first), (begin, _, second) in pairwise([(0, 0, ""), *placed]):
        if begin < before:
            yield f"{shown(first)} and {shown(second)} overlap: one ends at {before:,}, the other begins at {begin:,}"
        if begin > before:
            yield f"nothing accounts for bytes {before:,} to {begin:,}, before {shown(second)}"
    if (end := max((end for _, end, _ in placed), default=0)) != room:
        yield f"its tensors have {end:,} bytes, and {room:,} follow the header"


def _row(name: str, entry: dict[str, Any]) -> AuditedTensor:
    begin, end = entry["data_offsets"]
    shape, dtype = entry["shape"], _DTYPES[entry["dtype"]].name
    counts = {"reals": 2 * math.prod(shape)} if dtype.startswith("complex") else None
    return file_row(name, shape, dtype, end - begin, counts)


def _refuse(path: Path, faults: Iterator[str] | Sequence[str]) -> None:
    if told := [f"{path}: {fault}" for fault in _limited(faults)]:
        raise FileError(told)


def _limited(faults: Iterator[str] | Sequence[str]) -> list[str]:
    """The first of them: a file may have a hundred thousand, and one is enough to refuse it."""
    first: list[str] = []
    for fault in faults:
        if len(first) == _MOST_FAULTS:
            return [*first, "and more"]
        first.append(fault)
    return first
