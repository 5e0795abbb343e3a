"""Adam as the paper uses it: the framework's defaults and an exponentially decaying rate (released code: ×0.96 every 2000 steps)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

RATE = 0.001
DECAY, DECAY_STEPS, FLOOR = 0.96, 2000, 1e-6


class Adam:
    """torch's fused Adam, stepped through views of the parameters in the order of their memory.

    Given a tensor whose memory is in another order than its axes, the fused step first copies its gradient.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, rate: float = RATE) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._views = [nn.Parameter(_in_memory_order(p.detach(), p)) for p in self.parameters]
        self._adam = torch.optim.Adam(self._views, lr=rate, fused=True)
        for view in self._views:  # now, before the first step's passing tensors leave holes in the memory around it
            moments = {"exp_avg": torch.zeros_like(view), "exp_avg_sq": torch.zeros_like(view)}
            self._adam.state[view] = {"step": torch.zeros((), dtype=torch.float32, device=view.device), **moments}
        self._rate = rate
        self.steps = 0

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in (*self.parameters, *self._views):
            parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient, then lower the rate."""
        for view, parameter in zip(self._views, self.parameters, strict=True):
            view.grad = None if parameter.grad is None else _in_memory_order(parameter.grad, parameter)
        self._adam.step()
        self.steps += 1
        for group in self._adam.param_groups:
            group["lr"] = min(self._rate, max(self._rate * DECAY ** (self.steps / DECAY_STEPS), FLOOR))


def _in_memory_order(tensor: Tensor, like: Tensor) -> Tensor:
    order = sorted(range(like.dim()), key=lambda axis: (-like.stride(axis), axis))
    return tensor.permute(order)
