"""Everything that a model holds, registered or not: tensors and modules in plain lists, dictionaries, objects, however nested, with their names.

Only what lies in instance dictionaries is looked at, so that no property of somebody's class is run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn

from capsaudit.auditing.modules.members import CONTAINERS, LEAVES, SIMPLE, members
from capsaudit.auditing.modules.walking import joined, registered, walk

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
