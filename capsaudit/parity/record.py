"""Recording what a forward pass computes, and finding values in it, wherever their axes are."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from capsaudit.inspection.modules.contents import tensors_within

TOLERANCE = 1e-3
"""The largest relative error at which values are the same. An ε of 1e-7 inside a root changes a capsule of length 0.01 by half of it; the
alternatives of a stage differ by more at one gain of W at least.
"""


_Key = TypeVar("_Key")

_MANY = 10_000
"""Tensors with more values are compared by their root mean square first."""


class Recorder(TorchDispatchMode):
    """Copies every floating-point tensor of certain sizes that an operator returns, also inside compiled and scripted functions. Copies,
    because a later operator may write into it.
    """

    def __init__(self, sizes: Collection[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.sizes = sizes
        self.found: list[Tensor] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Otherwise torch imports its compiler, which takes two seconds, to keep this class out of it; nothing is compiled here."""
        return False

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.numel() in self.sizes:
                self.found.append(tensor.detach().to(torch.float64, copy=True))
        return result


class Recording:
    """The tensors of one forward pass."""

    def __init__(self, found: Sequence[Tensor], output: object, batch: int) -> None:
        self.batch = batch
        returned = [each.detach().double() for each in tensors_within(output) if each.is_floating_point()]
        self.by_size: dict[int, list[Values]] = {}
        for tensor in found:
            self.by_size.setdefault(tensor.numel(), []).append(Values(tensor))
        self.outputs = [Values(each) for each in returned]

    def error(self, wanted: Tensor) -> float:
        """The relative error of the recorded tensor that is nearest to `wanted` [batch, …], but for the order of its values in an image."""
        return self._nearest(wanted, self.by_size.get(wanted.numel(), []))

    def output_error(self, wanted: Tensor) -> float:
        """The same among the tensors that are returned."""
        return self._nearest(wanted, [each for each in self.outputs if each.tensor.numel() == wanted.numel()])

    def equals(self, other: Recording) -> bool:
        """Whether another forward pass returned the same."""
        pairs = zip(self.outputs, other.outputs, strict=False)
        return len(self.outputs) == len(other.outputs) and all(
            torch.allclose(a.tensor, b.tensor, rtol=1e-5, atol=1e-7, equal_nan=True) for a, b in pairs
        )

    def returns(self, values: int) -> bool:
        """Whether a tensor of so many values for each image is returned."""
        return any(each.tensor.numel() == self.batch * values for each in self.outputs)

    def shaped(self, size: int) -> Iterator[Tensor]:
        """The recorded tensors of so many values."""
        return (each.tensor for each in self.by_size.get(size, []))

    def _nearest(self, wanted: Tensor, among: Sequence[Values]) -> float:
        goal = Values(wanted)
        return min((each.error(goal, self.batch) for each in among), default=math.inf)


class Values:
    """A tensor, sorted by image when it is first needed."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.scale = tensor.square().mean().sqrt().item()
        self.sorted: dict[int, Tensor] = {}

    def error(self, goal: Values, batch: int) -> float:
        """The largest difference of sorted values, relative to the root mean square of `goal`. For large tensors that of their root mean
        squares, which is at most as large, decides whether they need to be sorted.
        """
        scale = goal.scale or 1.0
        quick = abs(self.scale - goal.scale) / scale
        if not math.isfinite(quick) or (self.tensor.numel() > _MANY and quick > TOLERANCE):
            return quick if math.isfinite(quick) else math.inf
        axes = [axis for axis, size in enumerate(self.tensor.shape) if size == batch]
        return min(((self._by(axis) - goal._by(0)).abs().max().item() / scale for axis in axes), default=math.inf)

    def _by(self, axis: int) -> Tensor:
        if axis not in self.sorted:
            self.sorted[axis] = self.tensor.movedim(axis, 0).flatten(1).sort(1).values
        return self.sorted[axis]


def fitting(errors: Mapping[_Key, float]) -> list[_Key]:
    """The keys whose error is within the tolerance and not far above the least: a chance likeness gives way to an exact one."""
    least = min(errors.values(), default=math.inf)
    return [key for key, error in errors.items() if error <= min(TOLERANCE, max(100 * least, 1e-7))]
