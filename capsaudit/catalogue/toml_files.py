"""TOML files of the catalogue: locating a file by its name, and reading a file as data, never running anything."""

from __future__ import annotations

import stat
import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

from capsaudit.errors import CapsauditError, FileError, UnknownVariantError
from capsaudit.spec import Data
from capsaudit.validation import nearest

LARGEST_FILE_BYTES = 1_000_000
"""Fifty times as large as any shipped file. Python's objects for it take some 100 MB at most."""

MOST_DOTS = 200
"""In one line: the time that a key takes grows with the square of its parts, and half a million of them have room in a file."""

Kind = Literal["variants", "spaces", "claims"]

_NOUN: dict[Kind, str] = {"variants": "variant", "spaces": "space", "claims": "source of claims"}


@cache
def shipped(kind: Kind = "variants") -> dict[str, Path]:
    """The files that come with capsaudit, by id."""
    package = Path(__file__).resolve().parents[1]
    folder = package / "variants"
    if not folder.is_dir():  # an editable install: the folder is beside the package
        folder = package.parent / "variants"
    files = (folder if kind == "variants" else folder / kind).glob("*.toml")
    return {path.stem: path for path in sorted(files, key=lambda path: path.stem)}


def locate(name: str, kind: Kind = "variants") -> tuple[str, Path]:
    """The file that an id or a path names, with the label that messages give it.

    Raises:
        CapsauditError: no such id and no such file.
    """
    known = shipped(kind)
    if name in known:
        folder = "variants" if kind == "variants" else f"variants/{kind}"
        return f"{folder}/{name}.toml", known[name]
    if name.endswith(".toml") or exists(Path(name)):
        return name, Path(name)
    hint = nearest(name, known)
    hint = f"{hint} " if hint.startswith("did you mean") else ""
    error = UnknownVariantError if kind == "variants" else CapsauditError
    raise error(f"no {_NOUN[kind]} {name!r}; {hint}shipped: {', '.join(known)}; or give the path of a .toml file")


def read_table(label: str, path: Path) -> Data:
    """The TOML of one file; `label` is what messages call it.

    Raises:
        FileError: it cannot be read, is not UTF-8 or not TOML.
    """
    text = _read_text(label, path)
    if max(line.count(".") for line in text.split("\n")) > MOST_DOTS:
        raise FileError(f"{label}: has a line with more than {MOST_DOTS} dots; expected keys with a few parts")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise FileError(f"{label}: is nested too deeply") from error
    except ValueError as error:
        raise FileError(f"{label}: is not TOML: {error}") from error


def line_of(text: str, *keys: str) -> int:
    r"""The line of a key in the text of a TOML file, from 1; that of the nearest table or key above it where it has none of its own.

    >>> line_of("a = 1\n[b.c]\nd = 2\n", "b", "c", "d"), line_of("a = 1\n[b.c]\nd = 2\n", "b", "c", "e")
    (3, 2)
    """
    table: list[str] = []
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("["):
            found = table = _parts(line.partition("]")[0].lstrip(" \t["))
        else:
            found = [*table, *_parts(line.partition("=")[0])]
        if len(found) > depth and tuple(found) == keys[: len(found)]:
            best, depth = number, len(found)
    return best


def line_in(path: Path, *keys: str) -> int:
    """The same for a file that was read before; 1 if it cannot be read any more."""
    try:
        return line_of(path.read_text(encoding="utf-8"), *keys)
    except (OSError, ValueError):
        return 1


def _parts(key: str) -> list[str]:
    return [part.strip().strip("\"'") for part in key.split(".")]


def exists(path: Path) -> bool:
    """Whether anything is at `path`; a path that cannot exist (a NUL byte, too long) does not."""
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
        raise FileError(f"{label}: is not UTF-8 (byte {error.start:,}: {error.reason})") from error
    except (OSError, ValueError) as error:
        raise FileError(f"{label}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > LARGEST_FILE_BYTES:
        raise FileError(
            f"{label}: is larger than {LARGEST_FILE_BYTES:,} bytes; expected a .toml file that people write"
        )
    return text


def _expect_regular_file(label: str, path: Path) -> None:
    """A directory has no text, and a device or a pipe may never end."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        what = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise FileError(f"{label}: is {what}; expected a .toml file")
