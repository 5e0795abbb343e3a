"""One forward pass of a model, and what it shows that counting does not: hidden parameters, unused ones, those without a gradient.

The model is restored afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.jit import ScriptModule

from capsaudit.inspection.modules.contents import CONTAINERS, Place, is_trainable_leaf, places, tensors_within
from capsaudit.inspection.modules.forward import forwarded, probe_inputs, refuse_lazy
from capsaudit.inspection.modules.snapshot import unchanged
from capsaudit.inspection.modules.trace import Reached, Touched, reached, release
from capsaudit.inspection.modules.walk import Slot, parameters, walk
from capsaudit.inventory import Finding

__all__ = ["probe", "probe_inputs"]

Keywords = Mapping[str, object]


class Seen(NamedTuple):
    """What one forward showed: tensors its gradient reaches, tensors it worked with, what it returned, and what it changed."""

    graph: Reached
    touched: set[int]
    returned: int
    changed: list[str]


def probe(
    module: nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object] | None = None
) -> tuple[Finding, ...]:
    """Run one forward in eval mode."""
    refuse_lazy(module)
    held = places(module)
    seen = _seen(module, held, inputs, kwargs or {})
    release(seen.graph)
    return (
        *hidden(held, seen.graph.leaves, seen.touched),
        *_nameless(module, held, seen, inputs, kwargs or {}),
        *_parameters(module, seen),
        *(_changed(path) for path in seen.changed),
        *_limits(seen),
    )


def _seen(module: nn.Module, held: Sequence[Place], inputs: tuple[object, ...], kwargs: Keywords) -> Seen:
    """The graph is read before anything is put back."""
    with unchanged(module, held) as kept:
        with Touched() as touched:
            outputs = forwarded(module, inputs, kwargs)
        return Seen(reached(outputs), touched.found, len(tensors_within(outputs)), kept.tensors.changed())


def _nameless(
    module: nn.Module, held: Sequence[Place], seen: Seen, inputs: tuple[object, ...], kwargs: Keywords
) -> Iterator[Finding]:
    """A tensor that each forward makes anew is no parameter, so a second forward tells which ones stay."""
    known = {id(place.value) for place in held} | {id(tensor) for tensor in tensors_within((inputs, kwargs))}
    unknown = {key: tensor for key, tensor in seen.graph.leaves.items() if key not in known}
    if unknown:
        again = _seen(module, held, inputs, kwargs).graph
        release(again)
        yield from (nameless(tensor) for key, tensor in unknown.items() if key in again.leaves)


def _parameters(module: nn.Module, seen: Seen) -> Iterator[Finding]:
    """Each registered parameter once, by its first name."""
    told: set[int] = set()
    for layer, part in walk(module):
        for slot in parameters(layer, part):
            if id(slot.tensor) not in told:
                told.add(id(slot.tensor))
                yield from _parameter(slot, seen)


def _parameter(slot: Slot, seen: Seen) -> Iterator[Finding]:
    """Nothing is said of what cannot be seen: use inside a scripted module, and gradients that only a backward makes."""
    key, tensor = id(slot.tensor), slot.tensor
    if key in seen.graph.leaves:
        return
    if key in seen.touched:
        if tensor.requires_grad and seen.graph.carries and not seen.graph.is_partial:
            yield _finding(
                "no gradient", slot, "is used, but no gradient of the outputs reaches it: detached, or under no_grad"
            )
    elif not isinstance(slot.module, ScriptModule):
        yield _finding("unused", slot, "is touched by no forward in eval mode")


def _finding(kind: str, slot: Slot, what: str) -> Finding:
    return Finding(kind=kind, path=slot.path, message=f"{slot.path} {what}", count=slot.tensor.numel())


def _changed(path: str) -> Finding:
    return Finding(kind="state changed", path=path, message=f"{path} is another after a forward in eval mode")


def _limits(seen: Seen) -> Iterator[Finding]:
    if not seen.returned:
        yield Finding(kind="not probed", path="", message="forward returned no tensor, so no gradient can be followed")
    elif not seen.graph.carries:
        message = "no output carries a gradient: forward is detached or under no_grad"
        yield Finding(kind="no gradient", path="", message=message)
    elif seen.graph.is_partial:
        message = "a checkpointed part makes its graph in the backward only, so gradients inside it were not followed"
        yield Finding(kind="not probed", path="", message=message)


def hidden(held: Sequence[Place], leaves: Mapping[int, Tensor], touched: set[int]) -> Iterator[Finding]:
    """What lies in objects may belong to somebody else, and is told only where the gradient reaches it."""
    for place in held:
        if place.attribute and isinstance(place.value, Tensor) and is_trainable_leaf(place.value):
            if id(place.value) in leaves:
                yield _hidden(place, place.attribute, place.value, "is reached by the gradient but")
            elif not place.in_object:
                how = "is used but" if id(place.value) in touched else "is reached by no forward, and"
                yield _hidden(place, place.attribute, place.value, how)


def nameless(tensor: Tensor) -> Finding:
    """A leaf that no attribute leads to, the same one in each forward."""
    shape = tuple(tensor.shape)
    message = (
        f"a tensor of shape {shape} is reached by the gradient but is held by no module: a global, or in a closure"
    )
    return Finding(kind="hidden", path="", message=message, count=tensor.numel())


def _hidden(place: Place, attribute: tuple[str, object], tensor: Tensor, how: str) -> Finding:
    path, holder = attribute
    message = f"{place.path} {how} is not registered: `{path}` is {_remedy(holder, place.in_module)}"
    return Finding(kind="hidden", path=place.path, message=message, count=tensor.numel())


def _remedy(holder: object, in_module: bool) -> str:
    kind = "Module" if in_module else "Parameter"
    if isinstance(holder, Tensor):
        return "a plain tensor; use nn.Parameter"
    if isinstance(holder, nn.Module):
        return "a module that was set past nn.Module; assign it as an attribute"
    name = type(holder).__name__
    if not isinstance(holder, CONTAINERS):
        return f"a {name}, which is no module; make it an nn.Module"
    return f"a plain {name}; use nn.{kind}{'Dict' if isinstance(holder, Mapping) else 'List'}"
