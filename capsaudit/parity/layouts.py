"""What somebody's tensors may mean where shapes do not say it, in every family of capsule networks.

Shapes do not say which channels are a capsule, in which order the capsules have their matrices W, or which of two axes of equal size is
which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from capsaudit.parity.front import matrices_of
from capsaudit.parity.prepare import Sizes

State = dict[str, Tensor]

CUTS = ("neighbouring channels", "channels at equal distances")
"""Which channels of a place are a capsule. capsaudit's modules have the first."""

ORDERS = ("place, then type", "type, then place")
"""By what the capsules are numbered in W. capsaudit's modules have the first."""

_AXES = ("capsule", "class", "input dimension", "output dimension")


class Reading(NamedTuple):
    """A way to read the tensors. `channels`: those of a capsule; `capsules`: their order in W; `axes`: what the axes of W are, the
    outermost in memory first; `state`: the state dict of capsaudit's module; `epsilon`: what batch normalisation adds to the variance, None
    where there is none.
    """

    channels: str
    capsules: str
    axes: str
    state: State
    epsilon: float | None = None


def different(found: Iterable[Reading]) -> Iterator[Reading]:
    """Those that give other weights than the ones before."""
    kept: list[Reading] = []
    for reading in found:
        if not any(_alike(reading, other) for other in kept):
            kept.append(reading)
            yield reading


def _alike(one: Reading, other: Reading) -> bool:
    return one.epsilon == other.epsilon and all(torch.equal(one.state[name], other.state[name]) for name in one.state)


def channels(types: int, dimension: int, cut: str) -> Tensor:
    """For each channel of capsaudit's module, that of the model.

    >>> channels(2, 3, "channels at equal distances").tolist()
    [0, 2, 4, 1, 3, 5]
    """
    numbers = torch.arange(types * dimension)
    return numbers if cut == CUTS[0] else numbers.view(dimension, types).T.flatten()


def places(types: int, capsules: int, order: str) -> Tensor:
    """For each capsule of capsaudit's module, that of the model."""
    numbers = torch.arange(capsules)
    return numbers if order == ORDERS[0] else numbers.view(types, -1).T.flatten()


def convolution(tensors: Sequence[Tensor]) -> State:
    """One convolution; the channels of several come one after another."""
    biases = [each for each in tensors if each.dim() == 1]
    kernels = torch.cat([each for each in tensors if each.dim() == 4])
    return {"weight": kernels} | ({"bias": torch.cat(biases)} if biases else {})


def decoder(tensors: Mapping[str, Sequence[Tensor]]) -> State:
    """The fully connected layers behind the class capsules."""
    found: State = {}
    for layer, own in tensors.items():
        if layer.startswith("fc"):
            found |= named(f"decoder.{layer}", {"weight" if each.dim() == 2 else "bias": each for each in own})
    return found


def matrices(w: Tensor, sizes: Sizes) -> Iterator[tuple[str, Tensor]]:
    """W as [matrix, class, dimension in, dimension out], and how its axes are in memory, for each way to read them."""
    for index in matrices_of(torch.arange(w.numel()).view(w.shape), sizes):
        steps = {
            name: int(index.select(axis, 1).flatten()[0]) for axis, name in enumerate(_AXES) if index.shape[axis] > 1
        }
        yield ", ".join(sorted(steps, key=lambda name: -steps[name])), w.flatten()[index]


def matrix(tensor: Tensor, rows: int, columns: int) -> Tensor:
    """A matrix of which the axes may be exchanged, joined, or accompanied by axes of one."""
    found = tensor.squeeze()
    return found.T if found.shape == (columns, rows) and rows != columns else found.reshape(rows, columns)


def named(layer: str, tensors: Mapping[str, Tensor]) -> State:
    """The tensors of a layer by their full names."""
    return {f"{layer}.{name}": tensor for name, tensor in tensors.items()}
