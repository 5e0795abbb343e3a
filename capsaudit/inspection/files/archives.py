"""The pickle of a checkpoint, read within a bound before torch sees anything of the file.

torch reads each record of an archive whole, as large as the archive says. It gets a new archive with the pickle alone: neither compressed
records nor a directory that torch and Python read differently reach it, and no byte order for which it would swap values.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from msgspec import Struct

from capsaudit.errors import CapsauditError

LARGEST_PICKLE_BYTES = 50_000_000
"""Some 400,000 tensors: each takes about 125 bytes in it. Their values are in other records."""

LARGEST_COMPRESSED_BYTES = 1_000_000
"""For a compressed pickle. torch.save never compresses, and a thousandth of the size could be in the file."""

_COMPRESSED = zipfile.ZIP_DEFLATED
"""The compression that can be read in parts, so that it stops at the bound. torch knows no other."""


class Pickled(Struct, frozen=True):
    """A stream for torch.load, and the bytes of the archive's records for values; None where the file is no archive."""

    stream: io.BytesIO
    value_bytes: int | None


def pickled(stream: BinaryIO, path: Path) -> Pickled:
    """Read the pickle of an archive, or the beginning of a file in the older format, where values follow the pickle.

    Raises:
        CapsauditError: an archive without one pickle, with code, or with a pickle beyond the bound.
        Exception: a damaged archive.
    """
    if stream.read(4) != b"PK\3\4":
        stream.seek(0)
        return Pickled(io.BytesIO(stream.read(LARGEST_PICKLE_BYTES)), None)
    with zipfile.ZipFile(stream) as archive:
        content = _content(archive, path)
        values = sum(record.file_size for record in archive.infolist() if "/data/" in record.filename)
    return Pickled(_archive_of(content), values)


def with_values(stream: BinaryIO, path: Path) -> BinaryIO:
    """The same with the values: of an archive its stored records in a new one, so that no more memory is taken than the file has bytes.

    Raises:
        CapsauditError: as `pickled`, or an archive with compressed values, or of a machine with another byte order.
        Exception: a damaged archive.
    """
    if stream.read(4) != b"PK\3\4":
        stream.seek(0)
        return stream
    with zipfile.ZipFile(stream) as archive:
        records = {each.filename.partition("/")[2]: each for each in archive.infolist()}
        values = {name: each for name, each in records.items() if name.startswith("data/")}
        stored = all(each.compress_type == zipfile.ZIP_STORED for each in values.values())
        if not stored or sum(each.file_size for each in values.values()) > path.stat().st_size:
            raise CapsauditError(f"{path}: its values are compressed; torch.save compresses none")
        if "byteorder" in records and archive.read(records["byteorder"]) != b"little":
            raise CapsauditError(f"{path}: its values have another byte order than little-endian")
        return _archive_of(_content(archive, path), {name: archive.read(each) for name, each in values.items()})


def _content(archive: zipfile.ZipFile, path: Path) -> bytes:
    if any(name.endswith("/constants.pkl") for name in archive.namelist()):
        raise CapsauditError(
            f"{path}: is a TorchScript archive, which contains code; save model.state_dict() and audit that"
        )
    records = [each for each in archive.infolist() if each.filename.partition("/")[2] == "data.pkl"]
    if len(records) != 1:
        raise CapsauditError(
            f"{path}: is an archive with {len(records)} records data.pkl; expected one, as torch.save writes it"
        )
    (record,) = records
    limit = LARGEST_PICKLE_BYTES if record.compress_type == zipfile.ZIP_STORED else LARGEST_COMPRESSED_BYTES
    if record.compress_type not in (zipfile.ZIP_STORED, _COMPRESSED):
        raise CapsauditError(f"{path}: its pickle is compressed in a way that torch does not read")
    if record.file_size > limit:
        raise CapsauditError(
            f"{path}: its pickle has {record.file_size:,} bytes; at most {limit:,} are read{_hint(record)}"
        )
    with archive.open(record) as unpacked:
        return unpacked.read(limit)


def _hint(record: zipfile.ZipInfo) -> str:
    return "" if record.compress_type == zipfile.ZIP_STORED else " of a compressed one; torch.save compresses none"


def _archive_of(content: bytes, values: Mapping[str, bytes] = MappingProxyType({})) -> io.BytesIO:
    """The smallest archive that torch.load takes, with these records of values."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        for name, record in values.items():
            archive.writestr(f"archive/{name}", record)
    made.seek(0)
    return made
