"""Adam as the paper uses it: the framework's defaults and an exponentially decaying rate (released code: ×0.96 every 2000 steps).

The rate rises over the first steps, which neither the paper nor the released code says. Without that the first step of the 36×36
network, where 3200 capsules push the same way, drives all class capsules to a length of 1, and none of them ever comes back.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from capsaudit.train.plan import RATE

DECAY, DECAY_STEPS, FLOOR = 0.96, 2000, 1e-6
WARM_UP_STEPS = 40


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
        """Move every parameter that has a gradient."""
        for group in self._adam.param_groups:
            group["lr"] = rate_at(self.steps, self._rate)
        for view, parameter in zip(self._views, self.parameters, strict=True):
            view.grad = None if parameter.grad is None else _in_memory_order(parameter.grad, parameter)
        self._adam.step()
        self.steps += 1


def rate_at(step: int, rate: float) -> float:
    """The rate of a step, counted from 0.

    >>> [rate_at(step, 0.001) for step in (0, 19, 39)], round(rate_at(2000, 0.001), 6)
    ([2.5e-05, 0.0005, 0.001], 0.00096)
    """
    decayed = rate * DECAY ** (step / DECAY_STEPS) if step >= WARM_UP_STEPS else rate * (step + 1) / WARM_UP_STEPS
    return max(decayed, min(rate, FLOOR))


def _in_memory_order(tensor: Tensor, like: Tensor) -> Tensor:
    strides = like.stride()
    order = sorted(range(like.dim()), key=lambda axis: (-strides[axis], axis))
    return tensor.permute(order)
