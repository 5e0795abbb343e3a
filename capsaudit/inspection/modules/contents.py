"""Everything that a model holds, registered or not: tensors and modules in lists, dictionaries and objects, however nested, by name.

Only instance dictionaries are read, so that no property of a user's class is run.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from torch import Tensor, nn

from capsaudit.inspection.modules.walk import joined, registered, walk

REGISTRIES = ("_parameters", "_buffers", "_modules")
FOREIGN = frozenset({*sys.stdlib_module_names, "torch", "numpy"})
"""Packages whose objects are not searched: an optimiser or a logger would lead out of the model."""


class Place(NamedTuple):
    """Something that a model holds, by a name that leads to it.

    `attribute`: path and value of the attribute by which it is held past registration, None for what is registered.
    `in_module`: it belongs to a module that is not registered. `in_object`: the way leads through an object that is neither module nor container.
    """

    path: str
    value: object
    attribute: tuple[str, object] | None = None
    in_module: bool = False
    in_object: bool = False


def places(root: nn.Module) -> list[Place]:
    """Registered things first, so that a list of modules that are registered as well hides nothing; each thing once."""
    known = [Place(path, module) for path, module in walk(root)]
    known += [Place(slot.path, slot.tensor) for slot in registered(root)]
    found = {id(place.value): place for place in reversed(known)}
    found = dict(reversed(found.items()))
    pending = [held for place in found.values() if isinstance(place.value, nn.Module) for held in _attributes(place)]
    pending.reverse()
    while pending:
        place = pending.pop()
        if id(place.value) not in found:
            found[id(place.value)] = place
            pending += reversed(list(_within(place)))
    return list(found.values())


def _attributes(place: Place) -> Iterator[Place]:
    """What a module holds by plain attributes."""
    for name, value in vars(place.value).items():
        if type(value) not in SIMPLE and name not in REGISTRIES and not _is_empty(value):
            path = joined(place.path, name)
            yield Place(path, value, place.attribute or (path, value), place.in_module, place.in_object)


def _within(place: Place) -> Iterator[Place]:
    if isinstance(place.value, nn.Module):
        yield from _registered_by(place, place.value)
        yield from _attributes(place._replace(in_module=True))
    elif isinstance(place.value, CONTAINERS):
        yield from _members(place)
    elif is_searched(place):
        yield from _members(place._replace(in_object=True))


def is_searched(place: Place) -> bool:
    """Whether it is an object whose attributes belong to the model. Objects within it are not searched: they would lead out of it."""
    home = type(place.value).__module__.partition(".")[0]
    return not place.in_object and not isinstance(place.value, LEAVES) and home not in FOREIGN


def _is_empty(value: object) -> bool:
    """Every module has a dozen dictionaries for hooks, nearly always empty."""
    return isinstance(value, (dict, list, set)) and not value


def _registered_by(place: Place, module: nn.Module) -> Iterator[Place]:
    registries: list[Any] = [module._parameters, module._buffers, module._modules]
    for name, value in (pair for registry in registries for pair in registry.items()):
        if value is not None:
            yield place._replace(path=joined(place.path, name), value=value, in_module=True)


def _members(place: Place) -> Iterator[Place]:
    return (place._replace(path=f"{place.path}{written}", value=member) for written, member in members(place.value))


def is_trainable_leaf(value: object) -> bool:
    """What a person would take for a parameter, wherever it is kept."""
    return isinstance(value, Tensor) and value.is_leaf and (isinstance(value, nn.Parameter) or value.requires_grad)


SIMPLE = frozenset({int, float, bool, str, bytes, type(None), complex})
"""Types without members. Told by the exact type, because most values are of one of them."""

LEAVES = (Tensor, type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, str, bytes)

CONTAINERS = (Mapping, list, tuple, set, frozenset, deque)


def members(value: object) -> Iterator[tuple[str, object]]:
    """Members that may have members, and how they are written after the value's own name.

    >>> list(members({"a": (), "b": 3}))
    [("['a']", ())]
    """
    found = _members_of(value)
    return ((written, member) for written, member in found if type(member) not in SIMPLE)


def _members_of(value: object) -> Iterator[tuple[str, object]]:
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
