"""The ways to count a model that its inventory allows: what may be left out or counted in, and what may be counted alone.

Tensors are recognised by the class of their module, their shapes, ties and findings. Names decide last: which lookup tables and bare
parameters are of positions, and, of files, which have no classes, what is a lookup table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct

from capsaudit.inventory import STORED, Inventory, InventoryTensor, Side
from capsaudit.knobs import KnobChange
from capsaudit.selection import SIDES, Selection, experts

_MOST_EXPERTS = 16
"""No known network uses more experts for a token."""

_MOST_MODULES = 24
"""How many submodules are tried alone, the largest first."""

_DEEPEST = 2
"""How many parts their names may have, after the beginning that all names share."""

_FEW_ROWS = 16
"""A lookup table with no more rows is of types, such as the two segments of BERT, not of positions."""

Tensors = Sequence[InventoryTensor]


class ModelConvention(Struct, frozen=True, kw_only=True):
    """A way to count otherwise.

    `left_out`: tensors that it does not count; `alone`: the only ones that it counts, by name. `added` and `removed`: of trainable, frozen and
    buffers. `policy` and `experts`: as in a selection.
    """

    change: KnobChange
    left_out: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()
    added: frozenset[Side] = frozenset()
    removed: frozenset[Side] = frozenset()
    policy: str | None = None
    experts: str | None = None


class _Model(NamedTuple):
    """The tensors that a selection chooses, those of them that are lookup tables, and what was found in the whole model."""

    tensors: Tensors
    tables: Tensors
    inventory: Inventory

    @property
    def tokens(self) -> Tensors:
        """The tables with the most rows, and those with at least half as many."""
        tables = [tensor for tensor in self.tables if not _is_of_positions(tensor.name)]
        most = max((tensor.shape[0] for tensor in tables), default=0)
        return [tensor for tensor in tables if 2 * tensor.shape[0] >= most > _FEW_ROWS]


def conventions_of(inventory: Inventory, selection: Selection, chosen: Tensors) -> Iterator[ModelConvention]:
    """Those that make a difference to the tensors that a selection chooses."""
    every = frozenset(tensor.name for tensor in chosen)
    model = _Model(chosen, _tables(chosen), inventory)
    for name, find in _LEFT_OUT.items():
        found = frozenset(find(model))
        if found and found != every:
            yield ModelConvention(change=_change(name, "counted", "left out"), left_out=found)
    yield from _sides(selection, chosen)
    if selection.policy == STORED and any("per name" in tensor.counts for tensor in chosen):
        yield ModelConvention(change=_change("tied", "once", "under each name"), policy="per name")
    if selection.experts is None:
        yield from _experts(inventory.tensors, every)
    yield from _modules(chosen)


def _change(name: str, before: str, after: str) -> KnobChange:
    return KnobChange(knob=f"counting.{name}", before=before, after=after)


def _tables(tensors: Tensors) -> list[InventoryTensor]:
    """Lookup tables: matrices of modules of a class `…Embedding`; of files those that are named so."""
    return [
        tensor
        for tensor in tensors
        if len(tensor.shape) == 2
        and not tensor.buffer
        and (tensor.kind.endswith("Embedding") or (not tensor.kind and _is_named_table(tensor.name)))
    ]


def _is_named_table(name: str) -> bool:
    parts = name.lower().split(".")
    return any("embed" in part or part in ("wte", "wpe") for part in parts[-2:])


def _is_of_positions(name: str) -> bool:
    return "pos" in name.lower() or "wpe" in name.lower().split(".")


def _token_embeddings(model: _Model) -> Iterator[str]:
    return (tensor.name for tensor in model.tokens)


def _position_embeddings(model: _Model) -> Iterator[str]:
    """The smaller tables, and bare parameters [1, positions, width]."""
    tokens = set(_token_embeddings(model))
    for tensor in model.tables:
        if tensor.name not in tokens and tensor.shape[0] > _FEW_ROWS:
            yield tensor.name
    for tensor in model.tensors:
        is_bare = len(tensor.shape) == 3 and tensor.shape[0] == 1 < tensor.shape[1] and not tensor.buffer
        if is_bare and _is_of_positions(tensor.name):
            yield tensor.name


def _type_embeddings(model: _Model) -> Iterator[str]:
    return (tensor.name for tensor in model.tables if tensor.shape[0] <= _FEW_ROWS)


def _output_head(model: _Model) -> Iterator[str]:
    """Layers with a matrix of the shape of a token table. A tied one has no values of its own, but may have a bias."""
    shapes, tables = {tensor.shape for tensor in model.tokens}, {tensor.name for tensor in model.tables}
    heads = {t.layer for t in model.tensors if t.shape in shapes and not t.buffer and t.name not in tables}
    return (tensor.name for tensor in model.tensors if tensor.layer in heads)


def _last_linear_layer(model: _Model) -> Iterator[str]:
    """That of the last matrix, where no output head has the shape of a token table."""
    last = next((t for t in reversed(model.tensors) if len(t.shape) == 2 and not t.buffer), None)
    if last is not None and last not in model.tables and not any(_output_head(model)):
        yield from (tensor.name for tensor in model.tensors if tensor.layer == last.layer)


def _biases(model: _Model) -> Iterator[str]:
    """Parameters of one axis beside one with more axes: those of normalisations are none."""
    beside = {tensor.layer for tensor in model.tensors if len(tensor.shape) > 1 and not tensor.buffer}
    return (t.name for t in model.tensors if len(t.shape) == 1 and not t.buffer and t.layer in beside)


def _normalisations(model: _Model) -> Iterator[str]:
    """Modules of a class `…Norm…`; of files the layers of which all parameters have one axis."""
    axes: dict[str, set[int]] = defaultdict(set)
    for tensor in model.tensors:
        if not tensor.buffer:
            axes[tensor.layer].add(len(tensor.shape))
    return (t.name for t in model.tensors if ("norm" in t.kind.lower() if t.kind else axes[t.layer] == {1}))


def _unused(model: _Model) -> Iterator[str]:
    """What a forward pass in eval mode does not use, such as auxiliary heads."""
    paths = {finding.path for finding in model.inventory.findings if finding.kind == "unused"}
    for tensor in model.tensors if paths else ():
        parts = tensor.name.split(".")
        if any(".".join(parts[: depth + 1]) in paths for depth in range(len(parts))):
            yield tensor.name


_LEFT_OUT: dict[str, Callable[[_Model], Iterator[str]]] = {
    "token_embeddings": _token_embeddings,
    "position_embeddings": _position_embeddings,
    "type_embeddings": _type_embeddings,
    "output_head": _output_head,
    "last_linear_layer": _last_linear_layer,
    "unused": _unused,
    "normalisations": _normalisations,
    "biases": _biases,
}


def _sides(selection: Selection, chosen: Tensors) -> Iterator[ModelConvention]:
    """Frozen parameters and buffers in; frozen parameters out, where they are counted."""
    counted, there = SIDES[selection.count], {tensor.side for tensor in chosen if tensor.count}
    for side in ("frozen", "buffers"):
        if side in there and "trainable" in counted and side not in counted:
            yield ModelConvention(change=_change(side, "left out", "counted"), added=frozenset({side}))
    if {"trainable", "frozen"} <= there & counted:
        yield ModelConvention(change=_change("frozen", "counted", "left out"), removed=frozenset({"frozen"}))


def _experts(tensors: Tensors, every: frozenset[str]) -> Iterator[ModelConvention]:
    for of in sorted({of for name, of in experts(tensors).items() if name in every}):
        for active in range(1, min(of, _MOST_EXPERTS + 1)):
            text = f"{active} of {of}"
            yield ModelConvention(change=_change("experts", f"{of} of {of}", text), experts=text)


def _modules(chosen: Tensors) -> Iterator[ModelConvention]:
    """Submodules near the top, without those of numbered lists: an encoder, a backbone, a projection."""
    modules: dict[str, set[str]] = defaultdict(set)
    sizes: dict[str, int] = defaultdict(int)
    shared = _shared_depth(chosen)
    for tensor in chosen:
        parts = tensor.layer.split(".") if tensor.layer else []
        for depth in range(shared + 1, min(len(parts), shared + _DEEPEST) + 1):
            if parts[depth - 1].isdecimal():
                break
            path = ".".join(parts[:depth])
            modules[path].add(tensor.name)
            sizes[path] += tensor.count
    seen = {frozenset(tensor.name for tensor in chosen)}
    for path in sorted(modules, key=lambda path: -sizes[path])[:_MOST_MODULES]:
        if sizes[path] and (names := frozenset(modules[path])) not in seen:
            seen.add(names)
            yield ModelConvention(change=_change("submodule", "the whole model", path), alone=names)


def _shared_depth(chosen: Tensors) -> int:
    """How many parts the names of all layers begin with alike."""
    paths = [tensor.layer.split(".") for tensor in chosen]
    depth = 0
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1 or not parts[0]:
            break
        depth += 1
    return depth
