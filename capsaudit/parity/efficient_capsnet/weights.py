"""Somebody's tensors as those of capsaudit's module of the same network, in every way in which they may be meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import torch
from torch import Tensor

from capsaudit.errors import CapsauditError
from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.inventory import InventoryTensor
from capsaudit.models.efficient_capsnet import EPSILON
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

_EPSILONS = (1e-5, EPSILON)
"""What batch normalisation adds to the variance: torch's default, and that of the authors' code. A file does not have it."""

_NORM = {"weight": "weight", "gamma": "weight", "bias": "bias", "beta": "bias"}
_NORM |= {name: name for name in ("running_mean", "running_var")}
"""The tensors of a batch normalisation by their names in files: shapes do not tell a scale from a shift."""


def readings(network: RecognisedNetwork, values: Mapping[str, Tensor]) -> Iterator[Reading]:
    """Every reading of a recognised network of this family that gives other weights, or another ε, than those before.

    Raises:
        CapsauditError: a tensor of a batch normalisation has a name that does not say what it is.
    """
    spec = network.spec
    assert isinstance(spec, EfficientCapsNet)
    norms = [_norm(found, values) for layer, found in network.layers.items() if layer.startswith("bn")]
    tensors = {
        layer: [values[each.name] for each in found]
        for layer, found in network.layers.items()
        if not layer.startswith("bn")
    }
    return different(_readings(spec, tensors, norms))


def _readings(
    spec: EfficientCapsNet, tensors: Mapping[str, Sequence[Tensor]], norms: Sequence[State]
) -> Iterator[Reading]:
    dimension, capsules = spec.primary_caps.dimension, sizes_of(spec).capsules
    types = spec.layers[-1].channels // dimension
    for cut, order in product(CUTS, ORDERS):
        front = _front(tensors, norms, channels(types, dimension, cut))
        for axes, digit in _digit_caps(spec, tensors["digit_caps"], places(types, capsules, order)):
            state = front | named("digit_caps", digit) | decoder(tensors)
            yield from (Reading(cut, order, axes, state, epsilon) for epsilon in _EPSILONS)


def _front(tensors: Mapping[str, Sequence[Tensor]], norms: Sequence[State], order: Tensor) -> State:
    """The layers before the votes. `order`: for each channel of the primary capsules, that of the model; each is made of one channel of the
    last convolution, which therefore has the same order.
    """
    found = named("primary_caps", _ordered(convolution(tensors["primary_caps"]), order))
    for number, norm in enumerate(norms, start=1):
        both = named(f"conv{number}", convolution(tensors[f"conv{number}"])) | named(f"bn{number}", norm)
        found |= named("features", _ordered(both, order) if number == len(norms) else both)
    return found


def _ordered(state: State, order: Tensor) -> State:
    return {name: tensor[order] if tensor.dim() else tensor for name, tensor in state.items()}


def _norm(tensors: Sequence[InventoryTensor], values: Mapping[str, Tensor]) -> State:
    """By the names of capsaudit's module, which also has a counter that nothing is computed from."""
    found = {"num_batches_tracked": torch.tensor(0)}
    for each in (each for each in tensors if each.shape):
        own = each.name.rpartition(".")[2]
        if own not in _NORM:
            raise CapsauditError(
                f"{each.name}: belongs to a batch normalisation, but its name does not say what it is; expected one that ends in "
                ".weight, .bias, .running_mean or .running_var"
            )
        found[_NORM[own]] = values[each.name]
    return found


def _digit_caps(spec: EfficientCapsNet, tensors: Sequence[Tensor], place: Tensor) -> Iterator[tuple[str, State]]:
    """DigitCaps for each way to read W; behind it are the log priors. `place`: for each capsule of capsaudit's module, that of the model."""
    more = State()
    if spec.digit_caps.logits == "trainable":
        logits = matrix(tensors[1], spec.digit_caps.classes, len(place))
        more["logits"] = logits[:, place].unsqueeze(-1)
    for axes, w in matrices(tensors[0], sizes_of(spec)):
        yield axes, more | {"weight": w[place].transpose(0, 1)}
