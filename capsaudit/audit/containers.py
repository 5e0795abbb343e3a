"""Attributes and plain containers of a model, put back in place: others may hold the same list."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from capsaudit.audit.attributes import Place


class KeptContainer(NamedTuple):
    """A container and what was in it."""

    container: Any
    content: list[Any]

    def restore(self) -> None:
        """Nothing is written where nothing changed, order included."""
        if not _same(_content(self.container), self.content):
            self.container.clear()
            fill = self.container.extend if isinstance(self.container, (list, deque)) else self.container.update
            fill(self.content)


def kept_containers(held: Sequence[Place]) -> list[KeptContainer]:
    """Every container that can be changed: also the dictionaries in which modules and objects keep their attributes and hooks."""
    found = {id(one): one for place in held for one in _containers(place.value)}
    return [KeptContainer(container, _content(container)) for container in found.values()]


def _containers(value: object) -> Iterator[object]:
    if isinstance(value, (dict, list, set, deque)):
        yield value
    elif hasattr(value, "__dict__") and not isinstance(value, (Tensor, type)):
        attributes = vars(value)
        if isinstance(attributes, dict):
            yield attributes
            yield from (one for one in attributes.values() if isinstance(value, nn.Module) and isinstance(one, dict))


def _content(container: Any) -> list[Any]:
    return list(container.items()) if isinstance(container, MutableMapping) else list(container)


def _same(now: list[Any], before: list[Any]) -> bool:
    """By identity: equality of tensors is a tensor."""
    if len(now) != len(before):
        return False
    return all(one is other or _same_pair(one, other) for one, other in zip(now, before, strict=True))


def _same_pair(one: object, other: object) -> bool:
    """Two pairs of a dictionary; they are made anew each time."""
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other) == 2:
        return one[0] is other[0] and one[1] is other[1]
    return False
