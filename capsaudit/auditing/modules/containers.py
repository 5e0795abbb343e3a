"""Attributes and plain containers of a model, put back in place: others may hold the same list."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import nn

from capsaudit.auditing.modules.attributes import Place, is_searched

MUTABLE = (dict, list, set, deque)


class KeptContainer(NamedTuple):
    """A container and what was in it: for a dictionary, keys and values in turn."""

    container: Any
    content: list[Any]

    def restore(self) -> None:
        """Nothing is written where nothing changed, order included. Compared by identity: equality of tensors is a tensor."""
        now = _content(self.container)
        if len(now) != len(self.content) or any(one is not other for one, other in zip(now, self.content, strict=True)):
            self.container.clear()
            _fill(self.container, self.content)


def kept_containers(held: Sequence[Place]) -> list[KeptContainer]:
    """Every container that can be changed: also the dictionaries in which modules and objects keep their attributes and hooks."""
    found = {id(one): one for place in held for one in _containers(place)}
    return [KeptContainer(container, _content(container)) for container in found.values()]


def _containers(place: Place) -> Iterator[object]:
    if isinstance(place.value, MUTABLE):
        yield place.value
    elif isinstance(place.value, nn.Module):
        yield vars(place.value)
        yield from (one for one in vars(place.value).values() if isinstance(one, MUTABLE))
    elif is_searched(place) and hasattr(place.value, "__dict__"):
        yield vars(place.value)


def _content(container: Any) -> list[Any]:
    """Most are the dictionaries of hooks, and empty."""
    if not container:
        return []
    return [one for pair in container.items() for one in pair] if isinstance(container, dict) else list(container)


def _fill(container: Any, content: list[Any]) -> None:
    if isinstance(container, dict):
        container.update(zip(content[::2], content[1::2], strict=True))
    elif isinstance(container, set):
        container.update(content)
    else:
        container.extend(content)
