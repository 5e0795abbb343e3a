"""Files of the catalogue, read as data: from bytes on a disk to a table, never running anything."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct

from capsaudit.catalogue.variant import Header
from capsaudit.errors import FileError
from capsaudit.validation import faults_of

LARGEST_FILE_BYTES = 1_000_000


class VariantFile(Struct, frozen=True):
    """A variant file as read. `header` is None where it has faults; `knobs` are not judged yet."""

    label: str
    path: Path
    table: dict[str, Any]
    header: Header | None
    faults: tuple[str, ...]

    @property
    def knobs(self) -> dict[str, Any]:
        """The tables that are settings of the network."""
        return {key: value for key, value in self.table.items() if key not in Header.__struct_fields__}

    def says(self, key: str) -> str | None:
        """A text of the header, also where other parts of the header have faults."""
        value = self.table.get(key)
        return value if isinstance(value, str) else None


def read_variant_file(label: str, path: Path) -> VariantFile:
    """Read and parse one file; `label` is what messages call it.

    Raises:
        FileError: it cannot be read, is not UTF-8 or not TOML. Faults in what it says are kept in the result.
    """
    table = read_table(label, path)
    header, faults = faults_of({key: table[key] for key in Header.__struct_fields__ if key in table}, Header)
    told = tuple(f"{label}: {fault.path} {fault.message}" for fault in faults)
    return VariantFile(label=label, path=path, table=table, header=header, faults=told)


def read_table(label: str, path: Path) -> dict[str, Any]:
    """The TOML of one file.

    Raises:
        FileError: it cannot be read, is not UTF-8 or not TOML.
    """
    return _parse(label, _read_text(label, path))


def exists(path: Path) -> bool:
    """Whether anything is at `path`; a path that cannot be (a NUL byte, too long) is not there."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _read_text(label: str, path: Path) -> str:
    try:
        _expect_regular_file(label, path)
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE_BYTES + 1)
        text = content.decode()
    except UnicodeDecodeError as error:
        raise FileError([f"{label}: is not UTF-8 (byte {error.start:,}: {error.reason})"]) from error
    except (OSError, ValueError) as error:
        raise FileError([f"{label}: cannot be read: {getattr(error, 'strerror', None) or error}"]) from error
    if len(content) > LARGEST_FILE_BYTES:
        raise FileError(
            [f"{label}: is larger than {LARGEST_FILE_BYTES:,} bytes; expected a .toml file that people write"]
        )
    return text


def _expect_regular_file(label: str, path: Path) -> None:
    """A directory has no text, and a device or a pipe may never end."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise FileError([f"{label}: is {what}; expected a .toml file"])


def _parse(label: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise FileError([f"{label}: is nested too deeply"]) from error
    except ValueError as error:
        raise FileError([f"{label}: is not TOML: {error}"]) from error
