"""Parsing a target: no file is opened and nothing is imported."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Literal

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.inspection.kinds import SUFFIXES, kind_by_name

Kind = Literal["python module", "python file", "weights"]

FORMS = f"package.module:Name, path/file.py:Name, a file of weights ({', '.join(SUFFIXES)}), or a folder of them"

_NOTEBOOK = ".ipynb"


class Target(Struct, frozen=True):
    """A parsed target. `source`: a dotted module name or a path. `name`: the dotted name of a model in Python code, or empty.

    `weights`: a file of weights or a folder of them.
    """

    text: str
    kind: Kind
    source: str
    name: str = ""


def parse_target(text: str) -> Target:
    """Parse a target. The text alone decides its kind.

    >>> parse_target("zoo.models:Net").kind, parse_target("zoo/net.py:make.small").name, parse_target("net.PTH").kind
    ('python module', 'make.small', 'weights')
    >>> parse_target("llama/").kind
    'weights'

    Raises:
        CapsauditError: `text` has none of the forms of a target.
    """
    source, _, name = text.rpartition(":")
    if _is_dotted(name) and (kind := _code_kind(source)) is not None:
        return Target(text, kind, source, name)
    if "\0" not in text and (kind_by_name(text) is not None or text.endswith(("/", "\\"))):
        return Target(text, "weights", text)
    raise CapsauditError(f"{_printable(text)} {_problem(text, source)}; expected {FORMS}")


def find_target(text: str, folder: Path | None = None) -> Target:
    """Parse a target, which may also be a path of another form at which something lies, relative to `folder`: a directory above all.

    Raises:
        CapsauditError: as `parse_target`.
    """
    try:
        return parse_target(text)
    except CapsauditError:
        if _lies_there(text, folder or Path()):
            return Target(text, "weights", text)
        raise


def _lies_there(text: str, folder: Path) -> bool:
    try:
        return bool(text.strip()) and (folder / text).exists()
    except (OSError, ValueError):  # no path can be made of it
        return False


def is_target(text: str) -> bool:
    """Whether a text is a target, and no variant or file of one.

    >>> is_target("net.py:Net"), is_target("net.safetensors"), is_target("paper"), is_target("mine.toml")
    (True, True, False, False)
    """
    try:
        parse_target(text)
    except CapsauditError:
        return False
    return True


def _code_kind(source: str) -> Kind | None:
    if PurePath(source).suffix == ".py" and "\0" not in source:
        return "python file"
    return "python module" if _is_dotted(source) and not source.endswith(_NOTEBOOK) else None


def _problem(text: str, source: str) -> str:
    if text.endswith(_NOTEBOOK) or source.endswith(_NOTEBOOK):
        return "is a notebook; export it with jupyter nbconvert --to script and name the model in the .py file"
    if PurePath(text).suffix == ".py":
        return "does not name a model in the file"
    if PurePath(source).suffix == ".py" or _is_dotted(source):
        return "has no valid name after the colon"
    return "is not a valid target"


def _printable(text: str) -> str:
    """The text on one line, in quotes if it is blank or has unprintable characters."""
    return text if text.strip() and text.isprintable() else repr(text)


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
