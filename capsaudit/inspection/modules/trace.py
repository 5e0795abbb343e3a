"""What one forward pass uses: the tensors that torch functions were given, and the leaves that a gradient would reach.

No backward pass is run. Uses are recorded by torch functions, not by the dispatcher: its mode would import the compiler, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

from capsaudit.inspection.modules.contents import SIMPLE, tensors_within


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


DESCRIBING = frozenset(
    {
        "__hash__",
        "__len__",
        "__repr__",
        "__set__",
        "data_ptr",
        "dim",
        "element_size",
        "get_device",
        "is_complex",
        "is_contiguous",
        "is_floating_point",
        "ndimension",
        "nelement",
        "numel",
        "requires_grad_",
        "size",
        "storage_offset",
        "stride",
        "type",
        "untyped_storage",
    }
)
"""Functions that tell something about a tensor, but do not read its values."""


class Touched(TorchFunctionMode):
    """Notes the tensors that functions of torch are given."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[int] = set()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Attributes (shape, dtype, device) come as `__get__`; only those that are tensors again (data, T) are a use."""
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name not in DESCRIBING and (name != "__get__" or isinstance(result, Tensor)):
            self.found.update(_given(args))
            self.found.update(_given(kwargs.values() if kwargs else ()))
        return result


def _given(arguments: Iterable[Any]) -> Iterator[int]:
    """Identities of the tensors among the arguments. Most are tensors or simple; this is run for every call."""
    for argument in arguments:
        if isinstance(argument, Tensor):
            yield id(argument)
        elif type(argument) not in SIMPLE:
            yield from (id(tensor) for tensor in tensors_within(argument))
