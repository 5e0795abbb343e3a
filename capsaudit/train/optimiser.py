"""Adam as the paper uses it: the framework's defaults, and a rate that `schedule` gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from capsaudit.train.schedule import Schedule


class Adam:
    """torch's fused Adam, stepped through views of the parameters in the order of their memory.

    Given a tensor whose memory is in another order than its axes, the fused step first copies its gradient.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], schedule: Schedule = Schedule()) -> None:  # noqa: B008  # frozen
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self._views = [nn.Parameter(_in_memory_order(p.detach(), p)) for p in self.parameters]
        self._adam = torch.optim.Adam(self._views, lr=schedule.rate, fused=True)
        for view in self._views:  # now, before the first step's passing tensors leave holes in the memory around it
            moments = {"exp_avg": torch.zeros_like(view), "exp_avg_sq": torch.zeros_like(view)}
            self._adam.state[view] = {"step": torch.zeros((), dtype=torch.float32, device=view.device), **moments}
        self.schedule = schedule
        self.steps = 0

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in (*self.parameters, *self._views):
            parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self._adam.param_groups:
            group["lr"] = self.schedule.at(self.steps)
        for view, parameter in zip(self._views, self.parameters, strict=True):
            view.grad = None if parameter.grad is None else _in_memory_order(parameter.grad, parameter)
        self._adam.step()
        self.steps += 1

    def state(self) -> list[dict[str, Tensor]]:
        """What Adam keeps of each of `parameters`: its two moments, in the order of memory, and how often it has moved."""
        return [self._adam.state[view] for view in self._views]

    def restore(self, state: Iterable[Mapping[str, Tensor]], *, steps: int) -> None:
        """Go on from what `state` returned after so many steps."""
        for kept, saved in zip(self.state(), state, strict=True):
            for name, tensor in kept.items():
                tensor.copy_(saved[name])
        self.steps = steps


def _in_memory_order(tensor: Tensor, like: Tensor) -> Tensor:
    strides = like.stride()
    order = sorted(range(like.dim()), key=lambda axis: (-strides[axis], axis))
    return tensor.permute(order)
