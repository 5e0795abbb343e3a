"""What a person can name for an audit. The text alone decides the kind: nothing is opened and nothing imported here."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from msgspec import Struct

from capsaudit.errors import CapsauditError

Kind = Literal["python module", "python file", "safetensors", "checkpoint"]

FORMS = "package.module:Name, path/file.py:Name, a .safetensors file, or a checkpoint (.pt, .pth, .bin)"

_FILES: dict[str, Kind] = {
    ".safetensors": "safetensors",
    ".pt": "checkpoint",
    ".pth": "checkpoint",
    ".bin": "checkpoint",
}


class Target(Struct, frozen=True):
    """A model as it was named. `source`: a dotted module or a path; `name`: what is meant in it, empty where the file is meant."""

    text: str
    kind: Kind
    source: str
    name: str = ""


def parse_target(text: str) -> Target:
    """What `text` names.

    >>> parse_target("zoo.models:Net").kind, parse_target("zoo/net.py:make.small").name, parse_target("net.PTH").kind
    ('python module', 'make.small', 'checkpoint')

    Raises:
        CapsauditError: it has none of the forms that a target can have.
    """
    source, _, name = text.rpartition(":")
    if _is_dotted(name) and (kind := _code_kind(source)) is not None:
        return Target(text, kind, source, name)
    if (kind := _FILES.get(PurePath(text).suffix.lower())) is not None and "\0" not in text:
        return Target(text, kind, text)
    raise CapsauditError(f"{_named(text)} {_lacking(text, source)}; expected {FORMS}")


def _code_kind(source: str) -> Kind | None:
    if PurePath(source).suffix == ".py" and "\0" not in source:
        return "python file"
    return "python module" if _is_dotted(source) else None


def _lacking(text: str, source: str) -> str:
    """Why it is none of the forms."""
    if PurePath(text).suffix == ".py":
        return "does not say which model of the file is meant"
    if PurePath(source).suffix == ".py" or _is_dotted(source):
        return "has no name behind its colon"
    return "is nothing that can be audited"


def _named(text: str) -> str:
    """The text as a message can show it: on one line, and never nothing."""
    return text if text.strip() and text.isprintable() else repr(text)


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
