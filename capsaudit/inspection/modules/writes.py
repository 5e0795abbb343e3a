"""Which memory is about to be written, so that it can be copied before: operators say in their schemas what they write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from capsaudit.inspection.modules.contents import tensors_within

_UNDECLARED = frozenset({"aten::native_batch_norm", "aten::cudnn_batch_norm", "aten::miopen_batch_norm"})
"""Operators that write arguments, the running statistics, without saying so in their schema."""

_EXPOSING = frozenset(
    {"__array__", "__dlpack__", "_typed_storage", "data_ptr", "numpy", "share_memory_", "storage", "untyped_storage"}
)
"""Functions that give access to the memory of a tensor: what is written through it runs no operator."""


@contextmanager
def announced_writes(announce: Callable[[Tensor], None]) -> Iterator[None]:
    """Call `announce` with each tensor that an operator is about to write, or whose memory is about to be exposed.

    Not seen are writes of other threads, of native code that runs no operator, and through pointers that were taken before.
    """
    with _Exposures(announce), _Writes(announce):
        yield


class _Writes(TorchDispatchMode):
    """Sees every operator on its way to its kernel, whether Python, a scripted module, an extension or the backward pass runs it."""

    supports_higher_order_operators = True

    def __init__(self, announce: Callable[[Tensor], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.announce = announce

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """By default a dispatch mode imports the compiler, which takes seconds."""
        return False

    def __torch_dispatch__(
        self, func: object, types: object, args: Sequence[object] = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        named = kwargs or {}
        for position, name in _written(func):
            for tensor in tensors_within(args[position] if position < len(args) else named.get(name)):
                self.announce(tensor)
        return func(*args, **named)  # type: ignore[operator]


@cache
def _written(operator: object) -> tuple[tuple[int, str], ...]:
    """Position and name of each argument that an operator writes. One from elsewhere than torch may not say it, so all of its own count."""
    schema = getattr(operator, "_schema", None)
    if schema is None:  # of higher order: the operators inside it are seen
        return ()
    is_silent = schema.name in _UNDECLARED or not schema.name.startswith("aten::")
    return tuple(
        (position, argument.name)
        for position, argument in enumerate(schema.arguments)
        if is_silent or (argument.alias_info is not None and argument.alias_info.is_write)
    )


class _Exposures(TorchFunctionMode):
    def __init__(self, announce: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.announce = announce

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        if getattr(func, "__name__", "") in _EXPOSING and args and isinstance(args[0], Tensor):
            self.announce(args[0])
        return func(*args, **(kwargs or {}))
