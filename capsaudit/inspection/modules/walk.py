"""Every module of a model under each of its names, and the tensors that it registers. Modules may be shared, and may contain their parents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

MAX_NAMES = 1000
"""The number of names of one module that are followed. A module shared at each of n levels has 2**n names."""


class NamedTensor(NamedTuple):
    """A tensor that a module registers: `name` in the module, and `layer`, one path of the module."""

    layer: str
    name: str
    module: nn.Module
    tensor: Tensor
    buffer: bool = False

    @property
    def path(self) -> str:
        """The full name, as `named_parameters` yields it."""
        return join_path(self.layer, self.name)


def join_path(layer: str, name: str) -> str:
    """A dotted path. The path of the root is empty.

    >>> join_path("", "weight"), join_path("encoder.0", "weight")
    ('weight', 'encoder.0.weight')
    """
    return f"{layer}.{name}" if layer else name


def walk(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield every module with its path, parents first, in the order of registration.

    A module that contains itself is not entered again: it has infinitely many names.
    """
    names: Counter[int] = Counter()
    ancestors, pending = [id(root)], [_children("", root)]
    yield "", root
    while pending:
        path, module = next(pending[-1], (None, root))
        key = id(module)
        if path is None:
            ancestors.pop()
            pending.pop()
        elif names[key] < MAX_NAMES and key not in ancestors:
            names[key] += 1
            if module._modules:
                ancestors.append(key)
                pending.append(_children(path, module))
            yield path, module


def _children(path: str, module: nn.Module) -> Iterator[tuple[str | None, nn.Module]]:
    return ((join_path(path, name), child) for name, child in module._modules.items() if child is not None)


def parameters(layer: str, module: nn.Module) -> Iterator[NamedTensor]:
    """The parameters that a module itself registers. `named_parameters` would omit second names of a parameter."""
    found = module._parameters.items()
    return (NamedTensor(layer, name, module, tensor) for name, tensor in found if tensor is not None)


def buffers(layer: str, module: nn.Module) -> Iterator[NamedTensor]:
    """The buffers that a module itself registers."""
    found = module._buffers.items()
    return (NamedTensor(layer, name, module, tensor, buffer=True) for name, tensor in found if tensor is not None)


def registered(root: nn.Module) -> Iterator[NamedTensor]:
    """Every registered tensor of a model under each of its names."""
    for layer, module in walk(root):
        yield from parameters(layer, module)
        yield from buffers(layer, module)
