"""Weights of quantised modules. They are no parameters: `parameters()` yields none, a file holds them packed, a method unpacks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from capsaudit.auditing.modules.walking import Slot

METHODS = {"weight": "weight", "bias": "bias", "get_weight": "", "get_bias": ""}
"""What unpacks, and the tensor's name; where there are several, the method tells the names itself."""


def packed(layer: str, module: nn.Module) -> Iterator[Slot]:
    """Told by methods, not by class: where the classes live has changed, and torch.ao is about to move again."""
    if _is_packed(module):
        for method, name in METHODS.items():
            unpack: Any = getattr(module, method, None)
            if callable(unpack):
                yield from (Slot(layer, key, module, tensor) for key, tensor in _unpacked(unpack, name))


def _is_packed(module: nn.Module) -> bool:
    """A quantised module that registers no tensor of its own; those for reference, which are called alike, register theirs."""
    home = type(module).__module__.split(".")
    return home[0] in ("torch", "torchao") and "quantized" in home and not any(True for _ in module._parameters)


def _unpacked(unpack: Callable[[], Any], name: str) -> Iterator[tuple[str, Tensor]]:
    """Detached: a bias comes with requires_grad, but nothing trains it there."""
    found = unpack()
    pairs = found.items() if isinstance(found, dict) else [(name, found)]
    return ((key, tensor.detach()) for key, tensor in pairs if isinstance(tensor, Tensor))
