"""Witnesses agree on every network, and are noticed where they do not."""

import pytest
import torch
from hypothesis import given, settings
from torch import nn

import capsaudit.witnesses.torch as torch_witness
from capsaudit import api
from capsaudit.catalogue import Variant, load_variant, shipped
from capsaudit.families import layers
from capsaudit.models import build
from capsaudit.models.tracing import traced_shapes
from capsaudit.spec import Spec
from capsaudit.witnesses import WITNESSES, witness
from tests.strategies import specs
from tests.expected import TOTALS


@pytest.mark.parametrize("name", WITNESSES)
@pytest.mark.parametrize("variant", sorted(shipped()))
def test_every_witness_counts_every_variant(variant: str, name: str) -> None:
    said = witness(name)(load_variant(variant).spec)
    assert said.trainable == TOTALS[variant]
    assert said.frozen == (1152 * 10 if variant == "frozen-logits" else 0)


@settings(max_examples=150, deadline=None)
@given(specs())
def test_witnesses_agree_on_any_network(spec: Spec) -> None:
    counted = api.count(Variant(id="any", summary="", parent=None, depth=0, spec=spec, sources={}))
    assert counted.agrees
    assert counted.disagreements == ()
    assert set(counted.witnesses.values()) == {counted.trainable}


@settings(max_examples=150, deadline=None)
@given(specs())
def test_stated_shapes_are_those_of_a_real_forward_pass(spec: Spec) -> None:
    stated = {layer.name: (layer.input_shape, layer.output_shape) for layer in layers(spec)}
    assert traced_shapes(spec, device="cpu") == stated
    assert traced_shapes(spec, device="meta") == stated


@pytest.mark.parametrize("variant", sorted(set(shipped()) - {"baseline-mnist", "cifar10-released-code"}))
def test_shapes_of_the_shipped_variants(variant: str) -> None:
    spec = load_variant(variant).spec
    traced = traced_shapes(spec, device="cpu")
    assert traced == {layer.name: (layer.input_shape, layer.output_shape) for layer in layers(spec)}


def broken(change: str) -> object:
    """A `build` whose network differs from its spec in one way."""

    def build_broken(spec: Spec, *, device: str) -> nn.Module:
        model = build(spec, device=device)
        caps = model.digit_caps
        match change:
            case "a parameter too many":
                caps.register_parameter("extra", nn.Parameter(torch.empty(7, device=device)))
            case "a layer too many":
                model.add_module("fc9", nn.Linear(1, 1, device=device))
            case "a layer missing":
                del model.decoder.fc3
            case "a frozen weight":
                model.conv1.weight.requires_grad_(False)
            case "a transposed weight":
                model.conv1.weight = nn.Parameter(model.conv1.weight.transpose(0, 1))
            case "a value moved between tensors":
                caps.weight = nn.Parameter(torch.empty(1_474_559, device=device))
                caps.register_parameter("extra", nn.Parameter(torch.empty(1, device=device)))
            case "tied weights":
                model.primary_caps.bias = model.conv1.bias
        return model

    return build_broken


@pytest.mark.parametrize(
    "change",
    [
        "a parameter too many",
        "a layer too many",
        "a layer missing",
        "a frozen weight",
        "a transposed weight",
        "a value moved between tensors",
        "tied weights",
    ],
)
def test_a_network_unlike_its_spec_is_noticed(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_witness, "build", broken(change))
    counted = api.count("paper", witnesses=["formula", "torch"])
    assert counted.verdict == "disagrees"
    assert not counted.agrees
    assert not api.check("paper", witnesses=["formula", "torch"]).agrees


def test_torchinfo_says_what_it_cannot_tell() -> None:
    row = next(layer for layer in api.count("frozen-logits").layers if layer.name == "digit_caps")
    assert row.frozen == 11_520
    assert any("torchinfo" in note and "11,520" in note for note in row.notes)


def test_a_network_of_10_to_the_12_allocates_nothing() -> None:
    """1152·10 pairs of 8·D with D = 10,850,694 make 999,999,959,040 in W alone."""
    counted = api.count(load_variant("paper", settings=["digit_caps.dimension=10850694", "decoder=none"]))
    expected = 20_992 + 5_308_672 + 1152 * 10 * 8 * 10_850_694
    assert counted.witnesses == dict.fromkeys(WITNESSES, expected)


def test_tensors_that_torch_cannot_address_are_left_to_the_formula() -> None:
    counted = api.count(load_variant("paper", settings=[f"digit_caps.dimension={10**18}", "decoder=none"]))
    assert counted.trainable == 20_992 + 5_308_672 + 1152 * 10 * 8 * 10**18
    assert counted.witnesses == {"formula": counted.trainable, "torch": None, "torchinfo": None}
    assert counted.verdict == "disagrees"  # with the 8.2M that is stated of the paper, and for no other reason
    assert counted.disagreements == ()
    assert any("more than torch can address" in note for note in counted.notes)
