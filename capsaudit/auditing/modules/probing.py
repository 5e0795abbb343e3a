"""One forward of a model, and what its gradient tells that counting does not. The model is as before afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import nn
from torch.jit import ScriptModule

from capsaudit.audited import Finding
from capsaudit.auditing.modules.attributes import Place, places
from capsaudit.auditing.modules.forwarding import forwarded
from capsaudit.auditing.modules.hiding import hidden, nameless
from capsaudit.auditing.modules.inputs import probe_inputs
from capsaudit.auditing.modules.keeping import unchanged
from capsaudit.auditing.modules.lazy import refuse_lazy
from capsaudit.auditing.modules.members import tensors_within
from capsaudit.auditing.modules.reaching import Reached, reached, release
from capsaudit.auditing.modules.touching import Touched
from capsaudit.auditing.modules.walking import Slot, parameters, walk

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
