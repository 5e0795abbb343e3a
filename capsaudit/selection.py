"""Which tensors of a model a count is about, and how they are counted.

>>> Selection(layers=("encoder",), excluded=("*.bias",), experts="2 of 8").about
'encoder except *.bias, 2 of 8 experts'
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.inventory import STORED, Counted, InventoryTensor, Side

Roles = Mapping[str, Sequence[InventoryTensor]]
"""The tensors of a recognised model by the layers of its variant: `digit_caps`, `fc1`, … Empty where nothing is recognised."""

SIDES: dict[Counted, frozenset[Side]] = {
    "trainable": frozenset({"trainable"}),
    "frozen": frozenset({"frozen"}),
    "parameters": frozenset({"trainable", "frozen"}),
    "buffers": frozenset({"buffers"}),
    "all": frozenset({"trainable", "frozen", "buffers"}),
}

_EXPERTS = re.compile(r"\s*([1-9][0-9]{0,5})\s+of\s+([1-9][0-9]{0,5})\s*")


class Selection(Struct, frozen=True, kw_only=True, rename={"excluded": "except"}, omit_defaults=True):
    """Tensors of a model, and how they are counted.

    `layers`: names of layers or tensors, or patterns; the whole model if empty. `except`: those that are left out. `count`: the values that
    are counted. `policy`: how. `experts`: `2 of 8` counts two eighths of the values in layers of eight experts, as many as one token uses.
    """

    layers: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    count: Counted = "trainable"
    policy: str = STORED
    experts: str | None = None

    @property
    def about(self) -> str | None:
        """The layers in one text; None for the whole model."""
        if not self.layers and not self.excluded and not self.experts:
            return None
        chosen = ", ".join(name or "the model itself" for name in self.layers) or "the model"
        left_out = f" except {', '.join(self.excluded)}" if self.excluded else ""
        return chosen + left_out + (f", {self.experts} experts" if self.experts else "")

    def tensors(self, tensors: Sequence[InventoryTensor], roles: Roles) -> list[InventoryTensor]:
        """The tensors that it is about, in the order of the model."""
        chosen = {t.name for pattern in self.layers or (None,) for t in select(tensors, pattern, roles)}
        chosen -= {t.name for pattern in self.excluded for t in select(tensors, pattern, roles)}
        return [tensor for tensor in tensors if tensor.name in chosen]

    def total(self, tensors: Sequence[InventoryTensor], chosen: Iterable[InventoryTensor]) -> int:
        """The count of some tensors of a model.

        Raises:
            CapsauditError: as `parse_experts`, or the model has no layers of so many experts.
        """
        chosen = list(chosen)
        counted = [tensor for tensor in chosen if tensor.side in SIDES[self.count]]
        total = sum(tensor.by(self.policy) for tensor in counted)
        if self.experts is None:
            return total
        active, of = parse_experts(self.experts)
        found = experts(tensors)
        if of not in found.values():
            raise CapsauditError(_no_experts(of, found.values()))
        if of not in (found.get(tensor.name) for tensor in chosen):
            raise CapsauditError(
                f"none of the layers that are counted has {of} experts; other layers of the model have"
            )
        unused = sum(tensor.by(self.policy) for tensor in counted if found.get(tensor.name) == of) * (of - active)
        return total - unused // of


class ActiveExperts(NamedTuple):
    """So many experts of a layer that a token uses, of so many that it has."""

    active: int
    of: int


def parse_experts(text: str) -> ActiveExperts:
    """The experts that a token uses.

    >>> parse_experts("2 of 8")
    ActiveExperts(active=2, of=8)

    Raises:
        CapsauditError: it is no such text, or more are used than there are.
    """
    match = _EXPERTS.fullmatch(text)
    if match is None or int(match[1]) > int(match[2]):
        raise CapsauditError(f'experts is {text!r}; expected how many of how many, such as "2 of 8"')
    return ActiveExperts(int(match[1]), int(match[2]))


def experts(tensors: Sequence[InventoryTensor]) -> dict[str, int]:
    """The tensors of experts by name, each with the number of experts in its layer.

    n experts are n modules `0`, `1`, … with equal shapes, or tensors of three axes whose first is n. Beside them is a router, a matrix with n
    outputs: without one, n equal modules are layers one after another.
    """
    routers: dict[str, set[int]] = defaultdict(set)
    for tensor in tensors:
        if len(tensor.shape) == 2 and not tensor.buffer:
            for inside in (tensor.layer, _parent(tensor.layer)):
                routers[inside].add(tensor.shape[0])
    return _fused(tensors, routers) | _listed(tensors, routers)


def select(tensors: Sequence[InventoryTensor], pattern: str | None, roles: Roles) -> list[InventoryTensor]:
    """The tensors of a layer (and of the layers in it), of one name, or of a pattern; all of them without one.

    The model's own names come first; where none of them matches, the pattern is one of layers of the variant.
    """
    if pattern is None:
        return list(tensors)
    own = [
        t
        for t in tensors
        if t.layer.startswith(f"{pattern}.") or any(_matches(name, pattern) for name in (t.layer, t.name))
    ]
    return own or [t for name, found in roles.items() if _matches(name, pattern) for t in found]


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _fused(tensors: Sequence[InventoryTensor], routers: Mapping[str, set[int]]) -> dict[str, int]:
    """Experts along the first axis, and the biases [n, outputs] in their modules."""
    of = {
        tensor.layer: tensor.shape[0]
        for tensor in tensors
        if len(tensor.shape) == 3 and 1 < tensor.shape[0] in routers[_parent(tensor.layer)] | routers[tensor.layer]
    }
    return {
        tensor.name: of[tensor.layer]
        for tensor in tensors
        if len(tensor.shape) > 1 and tensor.shape[0] == of.get(tensor.layer)
    }


def _listed(tensors: Sequence[InventoryTensor], routers: Mapping[str, set[int]]) -> dict[str, int]:
    """Experts that are modules of a list, by the path of the list."""
    lists: dict[str, dict[int, list[InventoryTensor]]] = defaultdict(lambda: defaultdict(list))
    for tensor in tensors:
        parts = tensor.layer.split(".")
        for depth, part in enumerate(parts):
            if part.isdecimal():
                lists[".".join(parts[:depth])][int(part)].append(tensor)
    return {
        tensor.name: len(members)
        for path, members in lists.items()
        if 1 < len(members) in routers[_parent(path)] and _are_equal(members)
        for member in members.values()
        for tensor in member
    }


def _are_equal(members: Mapping[int, Sequence[InventoryTensor]]) -> bool:
    """Whether they are `0`, `1`, … and have equal shapes."""
    shapes = {tuple((t.name.rpartition(".")[2], t.shape) for t in member) for member in members.values()}
    return len(shapes) == 1 and set(members) == set(range(len(members)))


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _no_experts(of: int, found: Iterable[int]) -> str:
    known = " and ".join(map(str, sorted(set(found))))
    has = f"; the model has layers of {known}" if known else ""
    return f"no layer has {of} experts: {of} equal modules in a list, or tensors of three axes whose first is {of}, beside a router{has}"
