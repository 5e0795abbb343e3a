"""Somebody's tensors as those of capsaudit's module of the same network, in every way in which they may be meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from torch import Tensor

from capsaudit.families.capsnet import CapsNet
from capsaudit.inventory import InventoryTensor
from capsaudit.parity.layouts import (
    CUTS,
    ORDERS,
    Reading,
    State,
    channels,
    convolution,
    decoder,
    different,
    matrices,
    matrix,
    named,
    places,
)
from capsaudit.parity.prepare import sizes_of
from capsaudit.recognition.base import RecognisedNetwork


def readings(network: RecognisedNetwork, values: Mapping[str, Tensor]) -> Iterator[Reading]:
    """Every reading of a recognised network of this family that gives other weights than those before."""
    spec = network.spec
    assert isinstance(spec, CapsNet)
    tensors = {
        layer: [values[each.name] for each in _in_order(layer, found)] for layer, found in network.layers.items()
    }
    return different(_readings(spec, tensors))


def _readings(spec: CapsNet, tensors: Mapping[str, Sequence[Tensor]]) -> Iterator[Reading]:
    fixed = named("conv1", convolution(tensors["conv1"])) | decoder(tensors)
    own, types, dimension = convolution(tensors["primary_caps"]), spec.primary_caps.types, spec.primary_caps.dimension
    for cut, order in product(CUTS, ORDERS):
        primary = {name: each[channels(types, dimension, cut)] for name, each in own.items()}
        for axes, digit in _digit_caps(spec, tensors["digit_caps"], order):
            yield Reading(cut, order, axes, fixed | named("primary_caps", primary) | named("digit_caps", digit))


def _in_order(layer: str, tensors: Sequence[InventoryTensor]) -> Sequence[InventoryTensor]:
    """Several convolutions by their numbers: a file may have the tenth before the second."""
    if layer != "primary_caps":
        return tensors
    return sorted(tensors, key=lambda each: [int(t) if t.isdecimal() else t for t in re.split(r"(\d+)", each.layer)])


def _digit_caps(spec: CapsNet, tensors: Sequence[Tensor], order: str) -> Iterator[tuple[str, State]]:
    """DigitCaps for each way to read W. Beside it recognition lists the bias, then the logits, then the coupling."""
    digit, sizes = spec.digit_caps, sizes_of(spec)
    place = places(spec.primary_caps.types, sizes.capsules, order)
    left, more = list(tensors[1:]), State()
    if digit.bias:
        more["bias"] = matrix(left.pop(0), digit.classes, digit.dimension)
    for name, is_stored in (("logits", digit.logits != "zero"), ("coupling", digit.coupling == "trainable")):
        if is_stored:
            more[name] = matrix(left.pop(0), sizes.capsules, digit.classes)[place]
    count = {"none": sizes.capsules, "grid": spec.primary_caps.types, "all": 1}[digit.shared_w]
    for axes, w in matrices(tensors[0], sizes._replace(capsules=count)):
        own = {"none": lambda each: each[place], "grid": lambda each: each, "all": lambda each: each[0]}
        yield axes, more | {"weight": own[digit.shared_w](w)}
