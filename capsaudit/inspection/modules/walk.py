"""Every module of a model under each of its names, and the tensors that they register. Modules may be shared, and may hold their parents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn

NAMES = 1000
"""Names of one module that are followed. A module that is shared at each of n levels has 2**n of them."""


class Slot(NamedTuple):
    """A tensor under one name of one module: `path` is both."""

    layer: str
    name: str
    module: nn.Module
    tensor: Tensor
    buffer: bool = False

    @property
    def path(self) -> str:
        """As `named_parameters` would tell it."""
        return joined(self.layer, self.name)


def joined(layer: str, name: str) -> str:
    """A dotted path; the root has none.

    >>> joined("", "weight"), joined("encoder.0", "weight")
    ('weight', 'encoder.0.weight')
    """
    return f"{layer}.{name}" if layer else name


def walk(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Parents before children, in the order of registration. A module within itself is not entered again: its names have no end."""
    names: Counter[int] = Counter()
    above, pending = [root], [_children("", root)]
    yield "", root
    while pending:
        path, module = next(pending[-1], (None, root))
        if path is None:
            above.pop()
            pending.pop()
        elif names[id(module)] < NAMES and not any(module is one for one in above):
            names[id(module)] += 1
            above.append(module)
            pending.append(_children(path, module))
            yield path, module


def _children(path: str, module: nn.Module) -> Iterator[tuple[str | None, nn.Module]]:
    return ((joined(path, name), child) for name, child in module._modules.items() if child is not None)


def parameters(layer: str, module: nn.Module) -> Iterator[Slot]:
    """What a module itself registers as parameters. Its own dictionary is read: `named_parameters` leaves second names out."""
    return (Slot(layer, name, module, tensor) for name, tensor in module._parameters.items() if tensor is not None)


def buffers(layer: str, module: nn.Module) -> Iterator[Slot]:
    """What a module itself registers as buffers."""
    return (Slot(layer, name, module, tensor, True) for name, tensor in module._buffers.items() if tensor is not None)


def registered(root: nn.Module) -> Iterator[Slot]:
    """Every tensor of a model under each of its names."""
    for layer, module in walk(root):
        yield from parameters(layer, module)
        yield from buffers(layer, module)
