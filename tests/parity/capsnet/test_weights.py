"""Readings of somebody's weights: one of them is the network that the weights were taken from, whatever their order."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from capsaudit import api
from capsaudit.catalogue import load_variant
from capsaudit.inspection.files.rows import file_row
from capsaudit.parity.capsnet.weights import readings
from capsaudit.parity.layouts import Reading
from capsaudit.recognition.base import RecognisedNetwork
from tests.train import foreign
from tests.train.foreign import CLASSES, IN, OUT, PLACES, TYPES

State = dict[str, Tensor]


def net_of(tmp_path: Path, *settings: str) -> tuple[State, object]:
    """The state of a network with random values everywhere, and its spec."""
    variant = load_variant(str(foreign.write_net(tmp_path)), settings=settings)
    torch.manual_seed(0)
    state = {name: torch.randn(tensor.shape) for name, tensor in api.build(variant).state_dict().items()}
    return state, variant.spec


def read(spec: object, layers: dict[str, State]) -> list[Reading]:
    """Every reading of these tensors by layer."""
    rows = {
        layer: tuple(
            file_row(name, tuple(tensor.shape), "float32", 4 * tensor.numel()) for name, tensor in found.items()
        )
        for layer, found in layers.items()
    }
    values = {name: tensor for found in layers.values() for name, tensor in found.items()}
    return list(readings(RecognisedNetwork(spec, rows, (), ()), values))  # type: ignore[arg-type]


def layers_of(state: State) -> dict[str, State]:
    """As they are in capsaudit's own module."""
    layer = {name: name.removeprefix("decoder.").split(".")[0] for name in state}
    found: dict[str, State] = {}
    for name, tensor in state.items():
        found.setdefault(layer[name], {})[name] = tensor
    return found


def the_one(found: list[Reading], own: State) -> Reading:
    """The only reading that is the network itself."""
    (same,) = [each for each in found if all(torch.equal(each.state[name], own[name]) for name in own)]
    assert same.state.keys() == own.keys()
    return same


def test_the_order_of_capsaudit_s_own_module(tmp_path: Path) -> None:
    own, spec = net_of(tmp_path)
    found = read(spec, layers_of(own))
    assert the_one(found, own) is found[0]
    axes = "capsule, class, input dimension, output dimension"
    assert found[0][:3] == ("neighbouring channels", "place, then type", axes)
    assert len(found) == 4


@pytest.mark.parametrize("shape", ["pairs", "exchanged", "flat"])
def test_logits_coupling_and_bias_have_the_order_of_the_capsules(shape: str, tmp_path: Path) -> None:
    own, spec = net_of(tmp_path, "digit_caps.logits=trainable", "digit_caps.coupling=trainable", "digit_caps.bias=true")
    layers = layers_of(own)
    forms = {"pairs": lambda t: t, "exchanged": lambda t: t.T, "flat": lambda t: t.flatten()}
    layers["digit_caps"] = {
        "w": foreign.by_type(own["digit_caps.weight"]),
        "bias": forms[shape](own["digit_caps.bias"]),
        "b": forms[shape](foreign.by_type(own["digit_caps.logits"])),
        "c": forms[shape](foreign.by_type(own["digit_caps.coupling"])),
    }
    assert the_one(read(spec, layers), own).capsules == "type, then place"


@pytest.mark.parametrize(("shared", "sizes"), [("grid", (TYPES, CLASSES, IN, OUT)), ("all", (CLASSES, IN, OUT))])
def test_matrices_that_capsules_share(shared: str, sizes: tuple[int, ...], tmp_path: Path) -> None:
    own, spec = net_of(tmp_path, f"digit_caps.shared_w={shared}")
    assert tuple(own["digit_caps.weight"].shape) == sizes
    layers = layers_of(own)
    layers["digit_caps"] = {"w": own["digit_caps.weight"].transpose(-1, -2).unsqueeze(0)}
    the_one(read(spec, layers), own)


def test_convolutions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """A file lists the tenth before the second."""
    own, spec = net_of(tmp_path, "primary_caps.types=12")
    layers = layers_of(own)
    convolutions = {
        f"caps.{t}.{name}": own[f"primary_caps.{name}"].unflatten(0, (12, IN))[t]
        for t in range(12)
        for name in ("bias", "weight")
    }
    layers["primary_caps"] = dict(sorted(convolutions.items()))
    assert [*layers["primary_caps"]][2:4] == ["caps.1.bias", "caps.1.weight"]
    assert [*layers["primary_caps"]][4] == "caps.10.bias"
    assert the_one(read(spec, layers), own).channels == "neighbouring channels"


def test_an_axis_for_types_and_one_for_places(tmp_path: Path) -> None:
    own, spec = net_of(tmp_path)
    layers = layers_of(own)
    w = foreign.by_type(own["digit_caps.weight"]).unflatten(0, (TYPES, PLACES))
    layers["digit_caps"] = {"w": w.movedim(2, 0)}
    assert the_one(read(spec, layers), own).capsules == "type, then place"


def test_readings_that_give_the_same_weights_are_one(tmp_path: Path) -> None:
    """With one type there is one order of channels and of capsules."""
    own, spec = net_of(tmp_path, "primary_caps.types=1", "primary_caps.dimension=5")
    assert len(read(spec, layers_of(own))) == 1
