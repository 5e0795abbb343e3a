"""Somebody's tensors as those of capsaudit's module of the same network, in every way in which they may be meant.

Shapes do not say which channels are a capsule, in which order the capsules have their matrices W, or which of two axes of equal size is
which. Each reading is one answer to all three.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from capsaudit.families.capsnet import CapsNet
from capsaudit.inventory import InventoryTensor
from capsaudit.parity.front import matrices_of
from capsaudit.parity.prepare import Sizes, sizes_of
from capsaudit.recognition.base import RecognisedNetwork

State = dict[str, Tensor]

CUTS = ("neighbouring channels", "channels at equal distances")
"""Which channels of a place are a capsule. capsaudit's module has the first."""

ORDERS = ("place, then type", "type, then place")
"""By what the capsules are numbered in W. capsaudit's module has the first."""

_AXES = ("capsule", "class", "input dimension", "output dimension")


class Reading(NamedTuple):
    """A way to read the tensors. `channels`: those of a capsule; `capsules`: their order in W; `axes`: what the axes of W are, the
    outermost in memory first; `state`: the state dict of capsaudit's module.
    """

    channels: str
    capsules: str
    axes: str
    state: State


def readings(network: RecognisedNetwork, values: Mapping[str, Tensor]) -> Iterator[Reading]:
    """Every reading of a recognised network of this family that gives other weights than those before."""
    spec = network.spec
    assert isinstance(spec, CapsNet)
    tensors = {
        layer: [values[each.name] for each in _in_order(layer, found)] for layer, found in network.layers.items()
    }
    fixed = _named("conv1", _convolution(tensors["conv1"])) | _decoder(tensors)
    different: list[Reading] = []
    for cut in CUTS:
        primary = {name: each[_channels(spec, cut)] for name, each in _convolution(tensors["primary_caps"]).items()}
        for order in ORDERS:
            for axes, digit in _digit_caps(spec, tensors["digit_caps"], order):
                state = fixed | _named("primary_caps", primary) | _named("digit_caps", digit)
                if not any(_equal(state, other.state) for other in different):
                    different.append(Reading(cut, order, axes, state))
                    yield different[-1]


def _in_order(layer: str, tensors: Sequence[InventoryTensor]) -> Sequence[InventoryTensor]:
    """Several convolutions by their numbers: a file may have the tenth before the second."""
    if layer != "primary_caps":
        return tensors
    return sorted(tensors, key=lambda each: [int(t) if t.isdecimal() else t for t in re.split(r"(\d+)", each.layer)])


def _convolution(tensors: Sequence[Tensor]) -> State:
    """One convolution; the channels of several come one after another."""
    biases = [each for each in tensors if each.dim() == 1]
    kernels = torch.cat([each for each in tensors if each.dim() == 4])
    return {"weight": kernels} | ({"bias": torch.cat(biases)} if biases else {})


def _decoder(tensors: Mapping[str, Sequence[Tensor]]) -> State:
    found: State = {}
    for layer, own in tensors.items():
        if layer.startswith("fc"):
            found |= _named(f"decoder.{layer}", {"weight" if each.dim() == 2 else "bias": each for each in own})
    return found


def _channels(spec: CapsNet, cut: str) -> Tensor:
    """For each channel of capsaudit's module, that of the model."""
    primary = spec.primary_caps
    numbers = torch.arange(primary.types * primary.dimension)
    return numbers if cut == CUTS[0] else numbers.view(primary.dimension, primary.types).T.flatten()


def _capsules(spec: CapsNet, order: str) -> Tensor:
    """For each capsule of capsaudit's module, that of the model."""
    numbers = torch.arange(sizes_of(spec).capsules)
    return numbers if order == ORDERS[0] else numbers.view(spec.primary_caps.types, -1).T.flatten()


def _digit_caps(spec: CapsNet, tensors: Sequence[Tensor], order: str) -> Iterator[tuple[str, State]]:
    """DigitCaps for each way to read W. Beside it recognition lists the bias, then the logits, then the coupling."""
    digit, sizes, place = spec.digit_caps, sizes_of(spec), _capsules(spec, order)
    left, more = list(tensors[1:]), State()
    if digit.bias:
        more["bias"] = _matrix(left.pop(0), digit.classes, digit.dimension)
    for name, is_stored in (("logits", digit.logits != "zero"), ("coupling", digit.coupling == "trainable")):
        if is_stored:
            more[name] = _matrix(left.pop(0), sizes.capsules, digit.classes)[place]
    count = {"none": sizes.capsules, "grid": spec.primary_caps.types, "all": 1}[digit.shared_w]
    for axes, w in _matrices(tensors[0], sizes._replace(capsules=count)):
        own = {"none": lambda each: each[place], "grid": lambda each: each, "all": lambda each: each[0]}
        yield axes, more | {"weight": own[digit.shared_w](w)}


def _matrices(w: Tensor, sizes: Sizes) -> Iterator[tuple[str, Tensor]]:
    """W as [matrix, class, dimension in, dimension out], and how its axes are in memory, for each way to read them."""
    for index in matrices_of(torch.arange(w.numel()).view(w.shape), sizes):
        steps = {
            name: int(index.select(axis, 1).flatten()[0]) for axis, name in enumerate(_AXES) if index.shape[axis] > 1
        }
        yield ", ".join(sorted(steps, key=lambda name: -steps[name])), w.flatten()[index]


def _matrix(tensor: Tensor, rows: int, columns: int) -> Tensor:
    """A matrix of which the axes may be exchanged, joined, or accompanied by axes of one."""
    found = tensor.squeeze()
    return found.T if found.shape == (columns, rows) and rows != columns else found.reshape(rows, columns)


def _named(layer: str, tensors: Mapping[str, Tensor]) -> State:
    return {f"{layer}.{name}": tensor for name, tensor in tensors.items()}


def _equal(state: State, other: State) -> bool:
    return all(torch.equal(state[name], other[name]) for name in state)
