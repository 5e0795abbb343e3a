"""Modules whose shapes are known only after a forward. They are counted on a copy: the model somebody gave stays as it is."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, is_lazy

from capsaudit.auditing.modules.forwarding import forwarded
from capsaudit.auditing.modules.random_state import same_randomness
from capsaudit.auditing.modules.walking import Slot, registered, walk
from capsaudit.errors import CapsauditError


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
