"""Every module and tensor that a model holds, registered or not, by path: also those in containers and in objects.

Only instance dictionaries are read, so no property of a user's class is run.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import NamedTuple

from torch import Tensor, nn

from capsaudit.inspection.modules.walk import join_path, registered, walk

REGISTRIES = ("_parameters", "_buffers", "_modules")
CONTAINERS = (Mapping, list, tuple, set, frozenset, deque)

SIMPLE = frozenset({int, float, bool, str, bytes, type(None), complex})
"""Exact types of values without members. Most values have one of them, so they are skipped first."""

LEAVES = (Tensor, type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, str, bytes)
"""Types whose members are not searched."""

FOREIGN = frozenset({*sys.stdlib_module_names, "torch", "numpy"})
"""Packages whose objects are not searched: an optimiser or a logger refers to objects outside the model."""


class HeldObject(NamedTuple):
    """An object that a model holds.

    Attributes:
        path: The path to it, such as `layers[0].weight`.
        value: The object.
        attribute: Path and value of the unregistered attribute that holds it; None if it is registered.
        in_module: Whether it belongs to a module that is not registered.
        in_object: Whether the path leads through an object that is neither a module nor a container.
    """

    path: str
    value: object
    attribute: tuple[str, object] | None = None
    in_module: bool = False
    in_object: bool = False


def held_objects(root: nn.Module) -> list[HeldObject]:
    """Every object of a model once. Registered ones come first, so that an object that a list holds as well keeps its registered path."""
    known = [HeldObject(path, module) for path, module in walk(root)]
    known += [HeldObject(named.path, named.tensor) for named in registered(root)]
    found: dict[int, HeldObject] = {}
    for held in known:
        found.setdefault(id(held.value), held)
    modules = [held for held in found.values() if isinstance(held.value, nn.Module)]
    pending = [inner for held in modules for inner in _attributes(held)]
    pending.reverse()
    while pending:
        held = pending.pop()
        if id(held.value) not in found:
            found[id(held.value)] = held
            pending += reversed(list(_contents(held)))
    return list(found.values())


def is_searched(held: HeldObject) -> bool:
    """Whether the attributes of an object belong to the model. Objects inside such an object are not searched."""
    package = type(held.value).__module__.partition(".")[0]
    return not held.in_object and not isinstance(held.value, LEAVES) and package not in FOREIGN


def _contents(held: HeldObject) -> Iterator[HeldObject]:
    if isinstance(held.value, nn.Module):
        yield from _registered_by(held, held.value)
        yield from _attributes(held._replace(in_module=True))
    elif isinstance(held.value, CONTAINERS):
        yield from _members(held)
    elif is_searched(held):
        yield from _members(held._replace(in_object=True))


def _registered_by(held: HeldObject, module: nn.Module) -> Iterator[HeldObject]:
    registries: tuple[Mapping[str, object], ...] = (module._parameters, module._buffers, module._modules)
    for name, value in (pair for registry in registries for pair in registry.items()):
        if value is not None:
            yield held._replace(path=join_path(held.path, name), value=value, in_module=True)


def _attributes(held: HeldObject) -> Iterator[HeldObject]:
    """The unregistered attributes of a module."""
    for name, value in vars(held.value).items():
        if type(value) not in SIMPLE and name not in REGISTRIES and not _is_empty(value):
            path = join_path(held.path, name)
            yield held._replace(path=path, value=value, attribute=held.attribute or (path, value))


def _is_empty(value: object) -> bool:
    """Every module has a dozen dictionaries of hooks, nearly all of them empty."""
    return isinstance(value, (dict, list, set)) and not value


def _members(held: HeldObject) -> Iterator[HeldObject]:
    return (held._replace(path=f"{held.path}{suffix}", value=member) for suffix, member in members(held.value))


def members(value: object) -> Iterator[tuple[str, object]]:
    """The members of a container or an object, each with the suffix that its path gets. Simple values are left out.

    >>> list(members({"a": (), "b": 3}))
    [("['a']", ())]
    """
    return ((suffix, member) for suffix, member in _all_members(value) if type(member) not in SIMPLE)


def _all_members(value: object) -> Iterator[tuple[str, object]]:
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
    suffixes = [f".{name}" for name in fields] if fields else (f"[{index}]" for index in range(len(value)))
    return zip(suffixes, tuple(value), strict=False)


def _fields(value: object) -> Iterator[tuple[str, object]]:
    """The attributes of an object: its dictionary, and the slots of a dataclass or a msgspec struct."""
    slots = [*getattr(value, "__dataclass_fields__", ()), *getattr(value, "__struct_fields__", ())]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return ((f".{name}", member) for name, member in {**found, **getattr(value, "__dict__", {})}.items())


def is_trainable_leaf(value: object) -> bool:
    """Whether a value is a parameter, or a leaf tensor that requires a gradient."""
    return isinstance(value, Tensor) and value.is_leaf and (isinstance(value, nn.Parameter) or value.requires_grad)


def tensors_within(value: object) -> list[Tensor]:
    """Every tensor inside a nested value, once."""
    seen: dict[int, object] = {id(value): value}
    pending, found = [value], []
    while pending:
        current = pending.pop()
        if isinstance(current, Tensor):
            found.append(current)
        new = {id(member): member for _, member in members(current) if id(member) not in seen}
        seen |= new
        pending.extend(new.values())
    return found
