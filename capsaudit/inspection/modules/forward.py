"""Running a user's forward pass: inputs made from shapes, lazy modules materialised in a copy, random state restored, errors translated."""

from __future__ import annotations

import copy
import inspect
import itertools
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, is_lazy

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import location, one_line
from capsaudit.inspection.modules.walk import NamedTensor, registered, walk

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE = inspect.Parameter.VAR_POSITIONAL


class Arguments(NamedTuple):
    """The arguments of a forward pass."""

    positional: tuple[object, ...]
    keywords: Mapping[str, object] = {}


def in_order(module: nn.Module, inputs: Sequence[object]) -> Arguments:
    """Inputs without names: by position, and those that forward takes by keyword only under its names, in order."""
    kinds = [(parameter.name, parameter.kind) for parameter in parameters_of(module.forward)]
    places = len(inputs) if _VARIABLE in dict(kinds).values() else sum(kind in _POSITIONAL for _, kind in kinds)
    names = [name for name, kind in kinds if kind is inspect.Parameter.KEYWORD_ONLY]
    if len(inputs) > places + len(names):
        return Arguments(tuple(inputs))
    return Arguments(tuple(inputs[:places]), dict(zip(names, inputs[places:], strict=False)))


def by_name(module: nn.Module, inputs: Mapping[str, object]) -> Arguments:
    """A dict of inputs: keyword arguments where forward has parameters of these names, or else its one argument."""
    parameters = parameters_of(module.forward)
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    if takes_any or set(inputs) <= {parameter.name for parameter in parameters}:
        return Arguments((), inputs)
    return Arguments((inputs,))


def parameters_of(function: Callable[..., object]) -> list[inspect.Parameter]:
    """Those of a function; none where it has no signature, as the forward of scripted modules."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def run_forward(module: nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
    """Call the module, including its hooks, and return its output.

    Raises:
        CapsauditError: its forward raised an error.
    """
    try:
        with _eager():
            return module(*inputs, **kwargs)
    except (Exception, SystemExit) as error:
        hint = _dict_hint(module, inputs) if len(inputs) == 1 and not kwargs else ""
        raise CapsauditError(f"forward raised {one_line(error)}{location(error)}{hint}") from error


def _dict_hint(module: nn.Module, inputs: tuple[object, ...]) -> str:
    """Where inputs by name became one dict: a misspelt name has the same effect."""
    (given,) = inputs
    if not isinstance(given, Mapping):
        return ""
    known = ", ".join(parameter.name for parameter in parameters_of(module.forward))
    return f"; its parameters are {known}, so the inputs {', '.join(map(str, given))} were passed as one dict"


def _eager() -> AbstractContextManager[object]:
    """Run compiled modules without compiling. Without the compiler, whose import takes seconds, nothing is compiled anyway."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


@contextmanager
def restored_random_state() -> Iterator[None]:
    """Restore the random generators of Python and torch, and those of CUDA and NumPy if they are in use."""
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
    """Make an input for each shape, on the device of the module's first tensor.

    Floating-point inputs lie between 0 and 1. Integer inputs are 0, which is a valid index for every embedding.

    Args:
        module: The module to run.
        shapes: Shapes without the batch.
        batch: The size of the first dimension.
        dtypes: A dtype for each shape; None or missing: the module's own floating-point dtype.
    """
    device, default = _device_and_dtype(module)
    pairs = zip(shapes, itertools.chain(dtypes, itertools.repeat(None)), strict=False)
    return tuple(_filled((batch, *shape), dtype or default, device) for shape, dtype in pairs)


def _device_and_dtype(module: nn.Module) -> tuple[torch.device, torch.dtype]:
    tensors = list(itertools.chain(module.parameters(), module.buffers()))
    device = tensors[0].device if tensors else torch.device("cpu")
    return device, next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.get_default_dtype())


def _filled(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    values = torch.zeros(shape, dtype=dtype, device=device)
    if dtype.is_floating_point and device.type != "meta":
        values.copy_(torch.linspace(0, 1, values.numel()).reshape(shape))
    return values


def materialise(module: nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object] | None = None) -> nn.Module:
    """Deep-copy a lazy module and give the copy its shapes by one forward pass in eval mode. Training modes are restored.

    Raises:
        CapsauditError: the module cannot be copied, or its forward raised an error.
    """
    copied = _copied(module)
    modes = [(part, part.training) for _, part in walk(copied) if hasattr(part, "training")]
    for part, _ in modes:
        part.training = False
    with torch.no_grad(), restored_random_state():
        run_forward(copied, inputs, kwargs or {})
    for part, mode in modes:
        part.training = mode
    return copied


def _copied(module: nn.Module) -> nn.Module:
    """Torch cannot copy lazy buffers, so their copies are put into the memo of `deepcopy`."""
    lazy = [named.tensor for named in registered(module) if isinstance(named.tensor, UninitializedBuffer)]
    make: Callable[..., Tensor] = UninitializedBuffer
    memo: dict[int, object] = {id(buffer): make(device=buffer.device, dtype=buffer.dtype) for buffer in lazy}
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:
        raise CapsauditError(f"the model cannot be copied: {type(error).__name__}: {error}") from error


def expect_materialised(tensors: Iterable[NamedTensor]) -> None:
    """Check that every registered tensor has a shape. A lazy tensor has no count.

    Raises:
        CapsauditError: a parameter or buffer is lazy.
    """
    for named in tensors:
        if is_lazy(named.tensor):
            raise CapsauditError(f"{named.path} has no shape until a forward pass creates it; pass an input (--input)")
