"""Which tensors a forward works with. Read by torch functions: the dispatcher would tell more, but it imports the compiler, which takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from capsaudit.auditing.modules.members import SIMPLE, tensors_within

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
