"""What one forward pass uses: the tensors passed to torch functions, and the leaves that receive a gradient.

No backward pass is run. Uses are recorded by `TorchFunctionMode`, because a dispatch mode would import the compiler, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from torch import Tensor
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode

from capsaudit.inspection.modules.contents import SIMPLE, tensors_within

METADATA_FUNCTIONS = frozenset(
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
"""Functions that do not read the values of a tensor."""


class UsedTensors(TorchFunctionMode):
    """Records the tensors that are passed to torch functions: their identities, in `ids`."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[int] = set()

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Attributes (shape, dtype, device) are read by `__get__`; only those that are tensors (data, T) are a use."""
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name not in METADATA_FUNCTIONS and (name != "__get__" or isinstance(result, Tensor)):
            self.ids.update(_ids(args))
            self.ids.update(_ids(kwargs.values() if kwargs else ()))
        return result


def _ids(arguments: Iterable[object]) -> Iterator[int]:
    """Identities of the tensors in the arguments. This runs for every call, and most arguments are tensors or simple values."""
    for argument in arguments:
        if isinstance(argument, Tensor):
            yield id(argument)
        elif type(argument) not in SIMPLE:
            yield from (id(tensor) for tensor in tensors_within(argument))


class GradientGraph(NamedTuple):
    """The autograd graph behind some outputs.

    Attributes:
        nodes: The operations in the order in which they ran. Call `release` when the graph is no longer needed.
        leaves: The leaves that receive a gradient, by identity.
        requires_grad: Whether any output requires a gradient.
        is_partial: Whether a part of the graph is built during the backward pass only.
    """

    nodes: list[Node]
    leaves: dict[int, Tensor]
    requires_grad: bool
    is_partial: bool


def gradient_graph(outputs: object) -> GradientGraph:
    """The graph behind every tensor within the outputs."""
    tensors = [tensor for tensor in tensors_within(outputs) if tensor.requires_grad]
    nodes = _ancestors([tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None])
    leaves = [tensor for tensor in tensors if tensor.is_leaf]
    leaves += [node.variable for node in nodes if type(node).__name__ == "AccumulateGrad"]  # type: ignore[attr-defined]
    is_partial = any(type(node).__name__ == "CheckpointFunctionBackward" for node in nodes)
    ordered = sorted(nodes, key=lambda node: node._sequence_nr())
    return GradientGraph(ordered, {id(leaf): leaf for leaf in leaves}, bool(tensors), is_partial)


def release(graph: GradientGraph) -> None:
    """Free the last operation first. Torch frees nodes that Python refers to by recursion, which overflows the stack at 50,000 nodes."""
    while graph.nodes:
        graph.nodes.pop()


def _ancestors(pending: list[Node]) -> set[Node]:
    """The nodes and everything that they depend on."""
    seen = set(pending)
    while pending:
        new = {node for node, _ in pending.pop().next_functions if node is not None} - seen
        seen |= new
        pending.extend(new)
    return seen
