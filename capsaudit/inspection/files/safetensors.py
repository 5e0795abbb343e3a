"""The tensors of a safetensors file, from its header alone. No value is read, and neither torch nor NumPy is imported.

The file has 8 bytes with the length of the header, the header in JSON, and the values without gaps. The header is checked against
the length of the file and for consistency, because counts depend on it alone. Format: https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import gc
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice, pairwise
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta, Struct

from capsaudit.arithmetic import Shape
from capsaudit.errors import CapsauditError, FileError
from capsaudit.families import layers, spec_of
from capsaudit.inspection.files.parts import Contents, Parts
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED, TRAINABLE_RECORDED, file_row
from capsaudit.inspection.paths import open_file
from capsaudit.inventory import InventoryTensor
from capsaudit.spec import Data
from capsaudit.validation import faults_of, nearest, shown

MAX_HEADER_BYTES = 100_000_000
"""The limit of the format."""

_MAX_EXPLAINED_BYTES = 10_000_000
"""Of a header with other types in it than a header has. To find all its faults it becomes objects of any type, 20 times as large as itself."""

_MAX_AXES = 64
_MAX_FAULTS = 20

_METADATA = "__metadata__"


class _Dtype(Struct, frozen=True):
    """The name that torch gives a dtype, and the number of bits of one value."""

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
_HeaderType = dict[str, dict[str, str | tuple[_Size, ...]]]
"""Tensors and metadata have one type, so that the header is decoded in one pass."""

_Table = dict[str, Any]
"""A table of the header: dtype, shape and data_offsets of a tensor, or the metadata."""


class _Entry(Struct, frozen=True):
    """A tensor in the header. Used only to describe the faults of a table."""

    dtype: str
    shape: tuple[_Size, ...]
    data_offsets: tuple[_Size, ...]


_FIELDS = frozenset(_Entry.__struct_fields__)


def read(path: Path) -> Parts:
    """Read a file, which has one network; where capsaudit has written it, its metadata say which, and so what was not trained.

    Raises:
        CapsauditError: as `read_header`.
    """
    rows, metadata = _read(path)
    try:
        spec = spec_of(msgspec.json.decode(metadata["network"], type=Data))
    except (KeyError, ValueError, RecursionError, FileError):
        return {"": Contents(rows, (TRAINABLE_ASSUMED,))}
    frozen = {f"{row.name}.{each.name}" for row in layers(spec) for each in row.parameters if not each.trainable}
    rows = tuple(msgspec.structs.replace(row, trainable=row.trainable and row.name not in frozen) for row in rows)
    return {"": Contents(rows, (TRAINABLE_RECORDED,))}


def read_header(path: Path) -> tuple[InventoryTensor, ...]:
    """Read every tensor of a file, in the order of its header.

    Raises:
        CapsauditError: the file cannot be read, or its header is not valid.
    """
    return _read(path)[0]


def _read(path: Path) -> tuple[tuple[InventoryTensor, ...], _Table]:
    """The tensors and the metadata."""
    with open_file(path) as stream:
        header, data_bytes = _header(stream, path)
    with _no_garbage_collection():
        entries, metadata = _entries(header, path)
        _refuse(path, _layout_faults(entries, data_bytes))
        return tuple(_row(name, entry) for name, entry in entries.items()), metadata


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collection would double the time: a large header makes a million objects, and all of them are kept."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _header(stream: BinaryIO, path: Path) -> tuple[bytes, int]:
    """The header, and the number of bytes after it."""
    size = os.fstat(stream.fileno()).st_size
    if size < 8:
        raise CapsauditError(f"{path}: has {size} bytes; a safetensors file begins with 8 for the length of its header")
    length = int.from_bytes(stream.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise CapsauditError(f"{path}: declares a header of {length:,} bytes; the format allows {MAX_HEADER_BYTES:,}")
    if length > size - 8:
        raise CapsauditError(f"{path}: declares a header of {length:,} bytes; only {size - 8:,} follow")
    return stream.read(length), size - 8 - length


def _entries(header: bytes, path: Path) -> tuple[dict[str, _Table], _Table]:
    """The tensors of the header, each checked by itself, and its metadata."""
    try:
        entries: dict[str, _Table] = msgspec.json.decode(header, type=_HeaderType)
    except (ValueError, RecursionError) as error:
        raise FileError(*(f"{path}: {fault}" for fault in _header_faults(header, error))) from error
    metadata = entries.pop(_METADATA, None)
    _refuse(path, _metadata_faults(metadata or {}))
    _refuse(path, (f"{shown(name)}: {fault}" for name, entry in entries.items() for fault in _entry_faults(entry)))
    strings = 5 * len(entries) + (0 if metadata is None else 1 + 2 * len(metadata))
    if _may_have_duplicates(header, strings):
        _refuse(path, _duplicate_faults(header))
    return entries, metadata or {}


def _header_faults(header: bytes, error: Exception) -> list[str]:
    """Why the header could not be decoded. If it is an object of JSON, and no huge one, the faults of each tensor."""
    if len(header) > _MAX_EXPLAINED_BYTES:
        return [f"its header: {error}"]
    try:
        content = msgspec.json.decode(header.decode())
    except UnicodeDecodeError as fault:
        return [f"its header is not UTF-8 (byte {fault.start:,}: {fault.reason})"]
    except RecursionError:
        return ["its header is nested too deeply"]
    except ValueError as fault:
        return [f"its header is not JSON: {fault}"]
    if not isinstance(content, dict):
        return [f"its header is {shown(content)}; expected a table of tensors"]
    return _limited(_content_faults(content)) or [f"its header: {error}"]


def _content_faults(content: Mapping[str, object]) -> Iterator[str]:
    for name, entry in content.items():
        if name == _METADATA:
            yield from _metadata_faults(entry)
        else:
            yield from (f"{shown(name)}: {fault}" for fault in _type_faults(entry))


def _metadata_faults(metadata: object) -> Iterator[str]:
    if not isinstance(metadata, dict):
        yield f"{_METADATA} is {shown(metadata)}; expected a table of strings"
        return
    for key, value in metadata.items():
        if not isinstance(value, str):
            yield f"{_METADATA}: {shown(key)} is {shown(value)}; expected a string"


def _type_faults(entry: object) -> list[str]:
    faults = faults_of(entry, _Entry)[1]
    return [f"{fault.path} {fault.message}" if fault.path else fault.message for fault in faults]


def _may_have_duplicates(header: bytes, strings: int) -> bool:
    """Whether a key may occur twice in a table; the decoder keeps the last one only.

    `strings` is the number of strings that were kept: five for each tensor. Each has two quotes, or more if it contains escaped
    quotes. If the header has no more than two quotes for each string, no string was dropped.
    """
    return header.count(b'"') != 2 * strings


def _duplicate_faults(header: bytes) -> list[str]:
    faults: list[str] = []

    def check(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                faults.append(f"its header has {shown(key)} twice in one table")
            seen.add(key)

    json.loads(header, object_pairs_hook=check)
    return faults


def _entry_faults(entry: _Table) -> Iterator[str]:
    """The faults of one tensor. Sound tensors are recognised quickly."""
    try:
        dtype, shape, (begin, end) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        if len(entry) == 3 and len(shape) <= _MAX_AXES and end - begin == _byte_count(dtype, shape):
            return
    except (KeyError, TypeError, ValueError):
        pass
    yield from _described_faults(entry)


def _described_faults(entry: _Table) -> Iterator[str]:
    faults = _type_faults(entry)
    faults += [f"{shown(key)} is unknown; {nearest(key, _FIELDS)}" for key in entry if key not in _FIELDS]
    if faults:
        yield from faults
    elif (dtype := _DTYPES.get(entry["dtype"])) is None:
        yield f"dtype is {shown(entry['dtype'])}; {nearest(entry['dtype'], _DTYPES)}"
    elif len(entry["data_offsets"]) != 2:
        yield f"data_offsets is {shown(entry['data_offsets'])}; expected two offsets, begin and end"
    elif len(entry["shape"]) > _MAX_AXES:
        yield f"shape has {len(entry['shape']):,} axes; expected at most {_MAX_AXES}"
    else:
        yield _size_fault(entry, dtype)


def _size_fault(entry: _Table, dtype: _Dtype) -> str:
    begin, end = entry["data_offsets"]
    size = f"{shown(entry['shape'])} of {entry['dtype']} has {_size(dtype, entry['shape'])}"
    return f"{size}; data_offsets {begin:,} to {end:,} have {end - begin:,}"


def _size(dtype: _Dtype, shape: Shape) -> str:
    whole, rest = divmod(math.prod(shape) * dtype.bits, 8)
    if whole >= 2**63:
        return "too many bytes for any file"
    return f"{whole:,} bytes and {rest} bits" if rest else f"{whole:,} bytes"


def _byte_count(dtype: _Dtype, shape: Shape) -> int | None:
    """The size of the values; None if it is not a whole number of bytes."""
    whole, rest = divmod(math.prod(shape) * dtype.bits, 8)
    return None if rest else whole


def _layout_faults(entries: Mapping[str, _Table], data_bytes: int) -> Iterator[str]:
    """Whether the tensors cover each byte of the data exactly once."""
    placed = sorted((*entry["data_offsets"], name) for name, entry in entries.items())
    for (_, before, first), (begin, _, second) in pairwise([(0, 0, ""), *placed]):
        if begin < before:
            yield f"{shown(first)} and {shown(second)} overlap: one ends at {before:,}, the other begins at {begin:,}"
        if begin > before:
            yield f"bytes {before:,} to {begin:,}, before {shown(second)}, belong to no tensor"
    if (end := max((end for _, end, _ in placed), default=0)) != data_bytes:
        yield f"its tensors have {end:,} bytes, but {data_bytes:,} follow the header"


def _row(name: str, entry: _Table) -> InventoryTensor:
    begin, end = entry["data_offsets"]
    shape, dtype = entry["shape"], _DTYPES[entry["dtype"]].name
    counts = {"reals": 2 * math.prod(shape)} if dtype.startswith("complex") else None
    return file_row(name, shape, dtype, end - begin, counts)


def _refuse(path: Path, faults: Iterable[str]) -> None:
    """Raise an error if there are faults."""
    if found := [f"{path}: {fault}" for fault in _limited(faults)]:
        raise FileError(*found)


def _limited(faults: Iterable[str]) -> list[str]:
    """The first faults. A file may have a hundred thousand."""
    first = list(islice(faults, _MAX_FAULTS + 1))
    return first if len(first) <= _MAX_FAULTS else [*first[:_MAX_FAULTS], "and more"]
