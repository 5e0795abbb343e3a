"""The layers of a large model in few rows: by where they are, and equal blocks as one row, such as `layers.0 … 31`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from capsaudit.results import AuditedLayer

SCREEN = 20
"""How many rows are made of a model that has more layers: groups are opened, the largest first, as long as they fit."""

MANY = 60
"""How many rows there are at most where layers differ and lie side by side. JSON has all."""


class Placed(NamedTuple):
    """A layer and the parts of its path."""

    path: tuple[str, ...]
    layer: AuditedLayer


class Group(NamedTuple):
    """Layers below one path, or below the paths of several equal blocks.

    Attributes:
        name: What the row is called.
        depth: How many parts of the paths it stands for.
        blocks: The layers of each block.
    """

    name: str
    depth: int
    blocks: list[list[Placed]]

    @property
    def layers(self) -> list[AuditedLayer]:
        """The layers of all blocks."""
        return [placed.layer for block in self.blocks for placed in block]

    @property
    def is_open(self) -> bool:
        """Whether there is nothing below it that could be shown."""
        return all(len(placed.path) <= self.depth for placed in self.blocks[0])


def folded(layers: Sequence[AuditedLayer], depth: int | None = None) -> list[Group]:
    """The rows of a model: all of its layers, where they are few; with `depth`, so many parts of their paths, equal blocks together.

    Otherwise groups are opened, but for equal blocks, as far as there is room.
    """
    placed = [Placed(_path(layer.name), layer) for layer in layers]
    if depth is None and len(layers) <= SCREEN:
        return [Group(each.layer.name, len(each.path), [[each]]) for each in placed]
    groups = _opened(Group("", 0, [placed]))
    return _as_it_fits(groups) if depth is None else _as_deep(groups, depth)


def _path(name: str) -> tuple[str, ...]:
    """The parts of a name; the model itself has none. A name with an empty part, which only a file may have, is not taken apart."""
    parts = tuple(name.split("."))
    return parts if all(parts) else (name,) if name else ()


def _as_deep(groups: list[Group], depth: int) -> list[Group]:
    while any(group.depth < depth and not group.is_open for group in groups):
        groups = [
            inner
            for group in groups
            for inner in ([group] if group.depth >= depth or group.is_open else _opened(group))
        ]
    return groups


def _as_it_fits(groups: list[Group]) -> list[Group]:
    """A group with most of the layers is opened even if it does not fit: its row would hide the model."""
    most = sum(len(group.layers) for group in groups) / 2
    closed = groups
    while len(groups) < SCREEN and (closed := [group for group in closed if _may_be_opened(group)]):
        largest = max(closed, key=_values)
        inner, at = _opened(largest), groups.index(largest)
        closed = [group for group in closed if group is not largest]
        if len(groups) + len(inner) - 1 <= SCREEN or len(largest.layers) > most:
            groups = [*groups[:at], *inner, *groups[at + 1 :]]
            closed += inner
    return _largest(groups) if len(groups) > MANY else groups


def _may_be_opened(group: Group) -> bool:
    return len(group.blocks) == 1 and not group.is_open


def _largest(groups: list[Group]) -> list[Group]:
    largest = {id(group) for group in sorted(groups, key=_values, reverse=True)[:MANY]}
    rest = [Placed((), layer) for group in groups if id(group) not in largest for layer in group.layers]
    chosen = [group for group in groups if id(group) in largest]
    return [*chosen, Group(f"{len(rest):,} smaller layers", 0, [rest])]


def _values(group: Group) -> int:
    return sum(layer.trainable + layer.frozen + layer.buffers for layer in group.layers)


def _opened(group: Group) -> list[Group]:
    """The groups one part of the path below it, equal ones with consecutive numbers together."""
    children: dict[str, list[list[Placed]]] = {}
    for block in group.blocks:
        parts: dict[str, list[Placed]] = {}
        for placed in block:
            parts.setdefault(".".join(placed.path[group.depth : group.depth + 1]), []).append(placed)
        for part, found in parts.items():
            children.setdefault(part, []).append(found)
    return [_named(group, *run) for run in _runs(_in_order(children), group.depth + 1)]


def _in_order(children: dict[str, list[list[Placed]]]) -> dict[str, list[list[Placed]]]:
    """Numbered ones by number: files have 10 before 2."""
    numbers = iter(sorted((part for part in children if _is_number(part)), key=int))
    return {part: children[part] for part in (next(numbers) if _is_number(each) else each for each in children)}


def _named(group: Group, first: str, last: str, blocks: list[list[Placed]]) -> Group:
    part = first if first == last else f"{first} … {last}"
    name = f"{group.name}.{part}" if group.name and part else group.name or part
    return Group(name, group.depth + bool(part), blocks)


def _runs(children: dict[str, list[list[Placed]]], depth: int) -> Iterator[tuple[str, str, list[list[Placed]]]]:
    """First and last name, and the blocks, of children that follow each other by number and are equal."""
    pending: tuple[str, str, list[list[Placed]]] | None = None
    for part, blocks in children.items():
        if pending and _follows(pending[1], part) and _shape(pending[2][0], depth) == _shape(blocks[0], depth):
            pending[2].extend(blocks)  # a new list for each of many thousand blocks would take quadratic time
            pending = (pending[0], part, pending[2])
        else:
            if pending:
                yield pending
            pending = (part, part, [*blocks])
    if pending:
        yield pending


def _follows(number: str, other: str) -> bool:
    return _is_number(number) and _is_number(other) and int(other) == int(number) + 1


def _is_number(part: str) -> bool:
    return part.isdecimal() and len(part) < 19


def _shape(block: Sequence[Placed], depth: int) -> list[tuple[object, ...]]:
    """What has to be the same in equal blocks."""
    return [
        (path[depth:], row.kind, row.trainable, row.frozen, row.buffers, row.expected, len(row.tensors))
        for path, row in block
    ]
