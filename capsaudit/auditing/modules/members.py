"""What values are made of, one level down: containers, records, objects. For models that keep or return tensors in anything but a tensor."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from torch import Tensor

SIMPLE = frozenset({int, float, bool, str, bytes, type(None), complex})
"""Types without members. Told by the exact type, because most values are of one of them."""

LEAVES = (Tensor, type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, str, bytes)

CONTAINERS = (Mapping, list, tuple, set, frozenset, deque)


def members(value: object) -> Iterator[tuple[str, object]]:
    """Members that may have members, and how they are written after the value's own name.

    >>> list(members({"a": (), "b": 3}))
    [("['a']", ())]
    """
    found = _members(value)
    return ((written, member) for written, member in found if type(member) not in SIMPLE)


def _members(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, LEAVES):
        return iter(())
    if isinstance(value, Mapping):
        return ((f"[{key!r}]", member) for key, member in value.items())
    if isinstance(value, (set, frozenset)):
        return (("{…}", member) for member in value)
    if isinstance(value, (list, tuple, deque)):
        return _items(value)
    return _fields(value)


def _items(value: list[object] | tuple[object, ...] | deque[object]) -> Iterator[tuple[str, object]]:
    fields = getattr(value, "_fields", None)  # of a NamedTuple
    names = [f".{name}" for name in fields] if fields else (f"[{place}]" for place in range(len(value)))
    return zip(names, tuple(value), strict=False)


def _fields(value: object) -> Iterator[tuple[str, object]]:
    """Attributes of an object; slots are told by dataclasses and by msgspec's structs."""
    slots = [*getattr(value, "__dataclass_fields__", ()), *getattr(value, "__struct_fields__", ())]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return ((f".{name}", member) for name, member in {**found, **getattr(value, "__dict__", {})}.items())


def tensors_within(value: object) -> list[Tensor]:
    """Every tensor inside a value, however nested, once."""
    seen: dict[int, object] = {id(value): value}
    pending, found = [value], []
    while pending:
        one = pending.pop()
        if isinstance(one, Tensor):
            found.append(one)
        new = {id(member): member for _, member in members(one) if id(member) not in seen}
        seen |= new
        pending.extend(new.values())
    return found
