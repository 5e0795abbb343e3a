"""Running a user's forward pass: inputs made from shapes, lazy modules materialised in a copy, random state restored, errors translated."""

from __future__ import annotations

import copy
import itertools
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, is_lazy

from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.walk import Slot, registered, walk


def forwarded(module: nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
    """What the module returns, hooks included."""
    try:
        with _eager():
            return module(*inputs, **kwargs)
    except Exception as fault:
        raise CapsauditError(f"forward raised {type(fault).__name__}: {fault}") from fault


def _eager() -> AbstractContextManager[Any]:
    """A compiled module runs as it was written. Where the compiler is not imported, nothing is compiled, and importing it takes seconds."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


@contextmanager
def same_randomness() -> Iterator[None]:
    """Put back the generators of Python, torch and, where somebody uses them, CUDA and numpy."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    numpy = sys.modules.get("numpy")
    before = random.getstate(), torch.get_rng_state(), numpy and numpy.random.get_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        torch.set_rng_state(before[1])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if numpy:
            numpy.random.set_state(before[2])


def probe_inputs(
    module: nn.Module,
    shapes: Sequence[tuple[int, ...]],
    *,
    batch: int = 2,
    dtypes: Sequence[torch.dtype | None] = (),
) -> tuple[Tensor, ...]:
    """A tensor for each shape, which is without the batch, where the module's parameters are.

    `dtypes`: one for each shape, None or left out for the module's own. Floats lie between 0 and 1; whole numbers are 0, a valid index anywhere.
    """
    device, own = _manner(module)
    wanted = itertools.chain(dtypes, itertools.repeat(None))
    return tuple(_filled((batch, *shape), dtype or own, device) for shape, dtype in zip(shapes, wanted, strict=False))


def _manner(module: nn.Module) -> tuple[torch.device, torch.dtype]:
    tensors = list(itertools.chain(module.parameters(), module.buffers()))
    device = tensors[0].device if tensors else torch.device("cpu")
    return device, next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.get_default_dtype())


def _filled(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    values = torch.zeros(shape, dtype=dtype, device=device)
    if dtype.is_floating_point and device.type != "meta":
        values.copy_(torch.linspace(0, 1, values.numel()).reshape(shape))
    return values


def materialised(
    module: nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object] | None = None
) -> nn.Module:
    """A deep copy that has run one forward in eval mode, without gradients. Its training modes are those of the original."""
    copied = _copied(module)
    modes = [(part, part.training) for _, part in walk(copied) if hasattr(part, "training")]
    for part, _ in modes:
        part.training = False
    with torch.no_grad(), same_randomness():
        forwarded(copied, inputs, kwargs or {})
    for part, mode in modes:
        part.training = mode
    return copied


def _copied(module: nn.Module) -> nn.Module:
    """Torch copies lazy parameters but not lazy buffers, so those are put where the copying looks for what it has copied."""
    unshaped = [slot.tensor for slot in registered(module) if isinstance(slot.tensor, UninitializedBuffer)]
    make: Any = UninitializedBuffer
    copies = {id(buffer): make(device=buffer.device, dtype=buffer.dtype) for buffer in unshaped}
    try:
        return copy.deepcopy(module, copies)
    except Exception as fault:
        raise CapsauditError(f"the model cannot be copied: {type(fault).__name__}: {fault}") from fault


def refuse_lazy(module: nn.Module) -> None:
    """A tensor without a shape cannot be counted as anything, least of all as 0."""
    for slot in registered(module):
        refuse_unshaped(slot)


def refuse_unshaped(slot: Slot) -> None:
    """The same for one tensor."""
    if is_lazy(slot.tensor):
        raise CapsauditError(f"{slot.path} has no shape before a forward has reached it: give --input")
