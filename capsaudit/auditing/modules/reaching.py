"""Which tensors a gradient would reach, read from the graph that autograd left behind a forward. No backward is run."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from capsaudit.auditing.modules.members import tensors_within


class Reached(NamedTuple):
    """Leaves by their identity. `carries`: whether any output has a graph. `is_partial`: parts of it will be made by a backward only.

    `nodes`: the graph, held until `release`.
    """

    nodes: list[Any]
    leaves: dict[int, Tensor]
    carries: bool
    is_partial: bool


def reached(outputs: object) -> Reached:
    """Walk from every tensor within the outputs."""
    carriers = [tensor for tensor in tensors_within(outputs) if tensor.requires_grad]
    nodes = _nodes([tensor.grad_fn for tensor in carriers if tensor.grad_fn is not None])
    leaves = [tensor for tensor in carriers if tensor.is_leaf]
    leaves += [node.variable for node in nodes if type(node).__name__ == "AccumulateGrad"]
    is_partial = any(type(node).__name__ == "CheckpointFunctionBackward" for node in nodes)
    ordered = sorted(nodes, key=lambda node: node._sequence_nr())
    return Reached(ordered, {id(leaf): leaf for leaf in leaves}, bool(carriers), is_partial)


def release(graph: Reached) -> None:
    """Let go of the last operation first: torch frees what Python has seen of a graph by recursion, and 50,000 steps end the process."""
    while graph.nodes:
        graph.nodes.pop()


def _nodes(pending: list[Any]) -> set[Any]:
    seen = set(pending)
    while pending:
        new = {node for node, _ in pending.pop().next_functions if node is not None} - seen
        seen |= new
        pending.extend(new)
    return seen
