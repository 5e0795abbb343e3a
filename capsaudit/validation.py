"""From plain data to frozen structs, with every fault found at once (msgspec itself stops at the first).

The types say what is allowed, and their `Meta(description=…)` says it in words.

>>> from capsaudit.spec import Image
>>> for fault in faults_of({"channels": "1", "heigth": 28, "width": 28}, Image)[1]:
...     print(fault.path, fault.message)
heigth is unknown; did you mean 'height'?
channels is "1"; expected a positive integer below 2^63
height is missing; expected a positive integer below 2^63
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from capsaudit.errors import CapsauditError

T = TypeVar("T")


class Fault(Struct, frozen=True):
    """What is wrong with the value at `path`, a dotted name; items of a list are numbered from 1."""

    path: str
    message: str


def faults_of(data: object, kind: type[T]) -> tuple[T | None, tuple[Fault, ...]]:
    """`data` as a `kind`, or None and everything that is wrong with it."""
    try:
        return msgspec.convert(data, kind), ()
    except (msgspec.ValidationError, OverflowError):
        return _by_value(data, kind)


def _by_value(data: object, kind: type[T]) -> tuple[T | None, tuple[Fault, ...]]:
    """The same, value by value: slower, but it finds every fault, and reads `"none"` as an absent table."""
    faults: list[Fault] = []
    value = _convert(data, kind, "", faults)
    return (None if faults else value), tuple(faults)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that looks most like `name`, or at all of them.

    >>> nearest("papr", ["paper", "article"]), nearest("x", ["paper", "article"])
    ("did you mean 'paper'?", 'expected one of: article, paper')
    """
    import difflib  # only a mistake pays for it

    names = sorted(known)
    if close := difflib.get_close_matches(name, names, n=1):
        return f"did you mean {close[0]!r}?"
    return f"expected one of: {', '.join(names)}"


def expect_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Check a name that a person gave.

    Raises:
        CapsauditError: it is not among those known.
    """
    if name not in (names := list(known)):
        raise CapsauditError(f"no {kind} {name!r}; {nearest(name, names)}")


def shown(value: object) -> str:
    """`value` as TOML would write it, cut to a length that a message can bear."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:59] + "…"


def _convert(data: object, kind: Any, path: str, faults: list[Fault]) -> Any:
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _convert_struct(data, kind, path, faults)
    if get_origin(kind) is dict and isinstance(data, dict):
        return {key: _convert(item, get_args(kind)[1], _join(path, key), faults) for key, item in data.items()}
    if _is_optional_struct(kind):
        return None if data in ("none", None) else _convert(data, get_args(kind)[0], path, faults)
    if (item_kind := _item_kind(kind)) is not None and isinstance(data, list | tuple):
        return tuple(_convert(item, item_kind, _join(path, str(n)), faults) for n, item in enumerate(data, start=1))
    return _convert_leaf(data, kind, path, faults)


def _convert_struct(data: object, kind: type[Struct], path: str, faults: list[Fault]) -> Any:
    if not isinstance(data, dict):
        faults.append(
            Fault(path, f"is {shown(data)}; expected a table with {', '.join(kind.__struct_encode_fields__)}")
        )
        return None
    hints, keys = _hints(kind), kind.__struct_encode_fields__
    unknown = sorted(data.keys() - set(keys))
    faults.extend(Fault(_join(path, key), f"is unknown; {nearest(key, keys)}") for key in unknown)
    values = {}
    for field in msgspec.structs.fields(kind):
        where = _join(path, field.encode_name)
        if field.encode_name in data:
            values[field.name] = _convert(data[field.encode_name], hints[field.name], where, faults)
        elif field.required:
            faults.append(Fault(where, f"is missing; expected {_description(hints[field.name])}"))
    return None if faults else kind(**values)


def _convert_leaf(data: object, kind: Any, path: str, faults: list[Fault]) -> Any:
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, OverflowError):
        faults.append(Fault(path, f"is {shown(data)}; expected {_description(kind)}"))


def _description(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        return next((str(meta.description) for meta in get_args(kind)[1:] if isinstance(meta, Meta)), "another value")
    if isinstance(kind, type) and issubclass(kind, Struct):
        return f"a table with {', '.join(kind.__struct_encode_fields__)}"
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_description(part) for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is tuple:
        return "a list"
    return {str: "a string", bool: "true or false", int: "an integer"}.get(kind, "a table")


def _item_kind(kind: Any) -> Any:
    """The item type of a list type; None for any other type."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(bare)[0] if get_origin(bare) is tuple else None


def _is_optional_struct(kind: Any) -> bool:
    parts = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()
    return len(parts) == 2 and parts[1] is type(None) and isinstance(parts[0], type) and issubclass(parts[0], Struct)


@cache
def _hints(kind: type[Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
