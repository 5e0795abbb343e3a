"""What a run shows of each parameter: whether a gradient reached it, and whether it moved."""

from __future__ import annotations

import torch
from torch import nn

from capsaudit.results import Moved


class Evidence:
    """Watches the trainable parameters of a model from before its first step on."""

    def __init__(self, model: nn.Module) -> None:
        self._parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self._before = {name: p.detach().clone() for name, p in self._parameters.items()}
        self._unreached = set(self._parameters)

    def look_at_gradients(self) -> None:
        """To be called after each backward pass; what has been reached once is not looked at again."""
        for name in list(self._unreached):
            gradient = self._parameters[name].grad
            if gradient is not None and bool(torch.count_nonzero(gradient)):
                self._unreached.discard(name)

    def parameters(self) -> tuple[Moved, ...]:
        """One row a tensor. `updated` is its count where the optimiser moved it; `values_moved` how many of its values differ."""
        return tuple(self._row(name) for name in self._parameters)

    def _row(self, name: str) -> Moved:
        parameter = self._parameters[name]
        moved = int(torch.count_nonzero(parameter.detach() != self._before[name]))
        return Moved(
            name=".".join(name.split(".")[-2:]),
            count=parameter.numel(),
            updated=parameter.numel() if moved else 0,
            reached=name not in self._unreached,
            values_moved=moved,
        )
