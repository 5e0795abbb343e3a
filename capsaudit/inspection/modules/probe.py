"""Findings of one forward pass: hidden parameters, unused parameters, parameters without a gradient, and changed state.

The model is restored afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn
from torch.jit import ScriptModule

from capsaudit.inspection.modules.contents import (
    CONTAINERS,
    HeldObject,
    held_objects,
    is_trainable_leaf,
    tensors_within,
)
from capsaudit.inspection.modules.forward import expect_materialised, run_forward
from capsaudit.inspection.modules.snapshot import restored
from capsaudit.inspection.modules.trace import GradientGraph, UsedTensors, gradient_graph, release
from capsaudit.inspection.modules.walk import NamedTensor, parameters, registered, walk
from capsaudit.inventory import Finding, FindingKind


class Call(NamedTuple):
    """A module and the arguments of its forward pass. `held`: every object of the module."""

    module: nn.Module
    held: Sequence[HeldObject]
    inputs: tuple[object, ...]
    kwargs: Mapping[str, object]


class Trace(NamedTuple):
    """What one forward pass shows.

    Attributes:
        graph: The autograd graph of its outputs.
        used: Identities of the tensors passed to torch functions.
        returned: The number of tensors it returned.
        changed: Paths of registered tensors that it changed.
        made: Parameters that it registered, with their numbers of values.
        lost: Paths of tensors that it changed unseen, so that they cannot be restored.
    """

    graph: GradientGraph
    used: set[int]
    returned: int
    changed: list[str]
    made: Mapping[str, int]
    lost: list[str]


def probe(
    module: nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object] | None = None
) -> tuple[Finding, ...]:
    """Run one forward pass in eval mode.

    Raises:
        CapsauditError: the module is lazy, or its forward raised an error.
    """
    expect_materialised(registered(module))
    call = Call(module, held_objects(module), inputs, kwargs or {})
    trace = _trace(call)
    release(trace.graph)
    return (
        *_hidden(call.held, trace),
        *_nameless(call, trace),
        *_registered(module, trace),
        *(_made(path, count) for path, count in trace.made.items()),
        *(_changed(path, trace.lost) for path in dict.fromkeys((*trace.changed, *trace.lost))),
        *_limits(trace),
    )


def _trace(call: Call) -> Trace:
    """The graph is read before the model is restored."""
    with restored(call.module, call.held) as snapshot:
        with UsedTensors() as used:
            outputs = run_forward(call.module, call.inputs, call.kwargs)
        tensors = snapshot.tensors
        graph = gradient_graph(outputs)
        count = len(tensors_within(outputs))
        return Trace(graph, used.ids, count, tensors.changed(), tensors.made(), tensors.lost())


def _hidden(held: Sequence[HeldObject], trace: Trace) -> Iterator[Finding]:
    """Trainable tensors that are not registered. A tensor in an object may not belong to the model, so it must receive a gradient."""
    for one in held:
        if one.attribute and isinstance(one.value, Tensor) and is_trainable_leaf(one.value):
            if id(one.value) in trace.graph.leaves:
                yield _hidden_finding(one, one.attribute, one.value, "receives a gradient but")
            elif not one.in_object:
                use = "is used but" if id(one.value) in trace.used else "is not used by the forward pass and"
                yield _hidden_finding(one, one.attribute, one.value, use)


def _hidden_finding(held: HeldObject, attribute: tuple[str, object], tensor: Tensor, use: str) -> Finding:
    path, holder = attribute
    message = f"{held.path} {use} is not registered: `{path}` is {_remedy(holder, held.in_module)}"
    return Finding(kind="hidden", path=held.path, message=message, count=tensor.numel())


def _remedy(holder: object, in_module: bool) -> str:
    """What the attribute is, and what to use instead."""
    kind = "Module" if in_module else "Parameter"
    if isinstance(holder, Tensor):
        return "a plain tensor; use nn.Parameter"
    if isinstance(holder, nn.Module):
        return "a module set without registration; assign it as an attribute"
    name = type(holder).__name__
    if not isinstance(holder, CONTAINERS):
        return f"a {name}, which is not a module; make it an nn.Module"
    return f"a plain {name}; use nn.{kind}{'Dict' if isinstance(holder, Mapping) else 'List'}"


def _nameless(call: Call, trace: Trace) -> Iterator[Finding]:
    """Leaves that no attribute refers to. A second forward pass excludes tensors that each pass creates anew."""
    known = {id(one.value) for one in call.held} | {id(tensor) for tensor in tensors_within((call.inputs, call.kwargs))}
    unknown = {key: tensor for key, tensor in trace.graph.leaves.items() if key not in known}
    if unknown:
        again = _trace(call).graph
        release(again)
        yield from (_nameless_finding(tensor) for key, tensor in unknown.items() if key in again.leaves)


def _nameless_finding(tensor: Tensor) -> Finding:
    shape = tuple(tensor.shape)
    message = f"a tensor of shape {shape} receives a gradient but belongs to no module: it is a global or in a closure"
    return Finding(kind="hidden", path="", message=message, count=tensor.numel())


def _registered(module: nn.Module, trace: Trace) -> Iterator[Finding]:
    """Findings about registered parameters, each under its first name."""
    found: dict[int, NamedTensor] = {}
    for layer, part in walk(module):
        for named in parameters(layer, part):
            found.setdefault(id(named.tensor), named)
    yield from (finding for named in found.values() for finding in _no_gradient(named, trace))
    unused = [named for named in found.values() if _is_unused(named, trace)]
    yield from map(_unused, _by_whole_module(unused, list(found.values())).items())


def _no_gradient(named: NamedTensor, trace: Trace) -> Iterator[Finding]:
    """No finding where the graph is partial and shows too little."""
    key, is_traced = id(named.tensor), trace.graph.requires_grad and not trace.graph.is_partial
    if key in trace.used and key not in trace.graph.leaves and named.tensor.requires_grad and is_traced:
        what = "is used, but no output has a gradient for it: it is detached or used under no_grad"
        yield _finding("no gradient", named, what)


def _is_unused(named: NamedTensor, trace: Trace) -> bool:
    """Unknown inside scripted modules, which the trace does not see."""
    key = id(named.tensor)
    return key not in trace.graph.leaves and key not in trace.used and not isinstance(named.module, ScriptModule)


def _by_whole_module(unused: Sequence[NamedTensor], every: Sequence[NamedTensor]) -> dict[str, list[NamedTensor]]:
    """Unused tensors by the largest module of which all parameters are unused; by its own path where there is none."""
    total = Counter(path for named in every for path in _modules_of(named))
    missing = Counter(path for named in unused for path in _modules_of(named))
    found: dict[str, list[NamedTensor]] = {}
    for named in unused:
        whole = next((path for path in _modules_of(named) if missing[path] == total[path] > 1), named.path)
        found.setdefault(whole, []).append(named)
    return found


def _modules_of(named: NamedTensor) -> Iterator[str]:
    """The paths of the modules that contain a tensor, the largest first, without the model itself."""
    names = named.layer.split(".") if named.layer else []
    return (".".join(names[: depth + 1]) for depth in range(len(names)))


def _unused(group: tuple[str, list[NamedTensor]]) -> Finding:
    path, tensors = group
    count = sum(named.tensor.numel() for named in tensors)
    which, they = (f"{path} is", "it") if len(tensors) == 1 else (f"{path}: its {len(tensors):,} tensors are", "them")
    message = f"{which} not used by a forward pass in eval mode; a loss or another method may use {they}"
    return Finding(kind="unused", path=path, message=message, count=count)


def _finding(kind: FindingKind, named: NamedTensor, what: str) -> Finding:
    return Finding(kind=kind, path=named.path, message=f"{named.path} {what}", count=named.tensor.numel())


def _made(path: str, count: int) -> Finding:
    values = f"{count:,} value{'s' * (count != 1)}"
    message = f"{path} is made in forward, {values}, which are not counted; make it in __init__, or run forward once before the audit"
    return Finding(kind="uncounted", path=path, message=message, count=count)


def _changed(path: str, lost: Sequence[str]) -> Finding:
    message = f"{path} changes during a forward pass in eval mode"
    if path in lost:
        message += "; it was not restored: another thread or native code wrote it"
    return Finding(kind="state changed", path=path, message=message)


def _limits(trace: Trace) -> Iterator[Finding]:
    """What the trace could not show about the whole model."""
    if not trace.returned:
        yield _model_finding("not probed", "forward returned no tensor, so gradients cannot be traced")
    elif not trace.graph.requires_grad:
        yield _model_finding("no gradient", "no output requires a gradient: forward detaches it or runs under no_grad")
    elif trace.graph.is_partial:
        message = "a checkpointed part builds its graph in the backward pass, so gradients inside it were not traced"
        yield _model_finding("not probed", message)


def _model_finding(kind: FindingKind, message: str) -> Finding:
    return Finding(kind=kind, path="", message=message)
