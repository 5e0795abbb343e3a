"""Witnesses agree on every network, and are noticed where they do not."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from torch import nn

import capsaudit.witnesses.torch as torch_witness
from capsaudit import api
from capsaudit.catalogue import Variant, load_variant, shipped
from capsaudit.models import build
from capsaudit.spec import Spec
from capsaudit.witnesses import WITNESSES, witness
from tests.expected import FROZEN, TOTALS
from tests.strategies import specs


@pytest.mark.parametrize("name", WITNESSES)
@pytest.mark.parametrize("variant", sorted(shipped()))
def test_every_witness_counts_every_variant(variant: str, name: str) -> None:
    counted = witness(name)(load_variant(variant).spec)
    assert counted.trainable == TOTALS[variant]
    assert counted.frozen == FROZEN.get(variant, 0)


@settings(max_examples=150, deadline=None)
@given(specs())
def test_witnesses_agree_on_any_network(spec: Spec) -> None:
    counted = api.count(Variant(id="any", summary="", parent=None, depth=0, spec=spec, sources={}))
    assert counted.agrees
    assert counted.disagreements == ()
    assert set(counted.witnesses.values()) == {counted.trainable}


def module(model: nn.Module, path: str) -> nn.Module:
    return model.get_submodule(path)


def broken(change: str) -> Callable[..., nn.Module]:
    """A `build` whose network differs from its spec in one way."""

    def build_broken(spec: Spec, *, device: str) -> nn.Module:
        model = build(spec, device=device)
        caps, conv1 = module(model, "digit_caps"), module(model, "conv1")
        match change:
            case "a parameter too many":
                caps.register_parameter("extra", nn.Parameter(torch.empty(7, device=device)))
            case "a buffer too many":
                conv1.register_buffer("extra", torch.empty(7, device=device))
            case "a layer too many":
                model.add_module("fc9", nn.Linear(1, 1, device=device))
            case "a layer missing":
                del module(model, "decoder").fc3
            case "a frozen weight":
                conv1.get_parameter("weight").requires_grad_(False)
            case "a transposed weight":
                conv1.register_parameter("weight", nn.Parameter(conv1.get_parameter("weight").transpose(0, 1)))
            case "a value moved between tensors":
                caps.register_parameter("weight", nn.Parameter(torch.empty(1_474_559, device=device)))
                caps.register_parameter("extra", nn.Parameter(torch.empty(1, device=device)))
            case "tied weights":
                module(model, "primary_caps").register_parameter("bias", conv1.get_parameter("bias"))
            case "nothing":
                pass
        return model

    return build_broken


@pytest.mark.parametrize(
    "change",
    [
        "a parameter too many",
        "a buffer too many",
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


def test_the_same_network_unchanged_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this the test above could fail every network for another reason."""
    monkeypatch.setattr(torch_witness, "build", broken("nothing"))
    assert api.count("paper", witnesses=["formula", "torch"]).agrees


def test_torchinfo_says_what_it_cannot_distinguish() -> None:
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
