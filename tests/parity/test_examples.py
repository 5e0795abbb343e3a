"""Ways to write a network, and to store it, that change nothing of what is computed change nothing of the verdict."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from capsaudit import api
from capsaudit.catalogue import Variant, load_all
from capsaudit.families.capsnet import CapsNet
from capsaudit.inspection.module import inspect_module
from capsaudit.inspection.modules.forward import Arguments
from capsaudit.inventory import Behaviour, InventoryTensor
from capsaudit.parity import prepare
from capsaudit.parity.behaviour import behaviour
from tests.parity import composed
from tests.parity.networks import (
    CLEAN,
    DEVIATING,
    IN_LOSS,
    BareView,
    Example,
    HardCodedBatch,
    LayerByLayer,
    OnePassMore,
    Scrambled,
    SoftmaxOverInputs,
    SquashOverCapsules,
)

VIEWS = (LayerByLayer, SoftmaxOverInputs, OnePassMore, BareView, SquashOverCapsules, Scrambled)
"""`view` of channels raises an error where they are not first in memory; `reshape` copies them."""

VARIANTS = [variant.id for variant in load_all() if isinstance(variant.spec, CapsNet)]

SMALL = ("conv1.channels=16", "primary_caps.types=4")


def behaviour_of(model: nn.Module, against: Variant | None = None) -> Behaviour:
    return behaviour(model, inspect_module(model, "mine"), against=against)


def rows(found: Behaviour) -> dict[str, tuple[str, str | None]]:
    return {row.stage: (row.verdict, row.model) for row in found.stages}


def channels_last(model: nn.Module) -> nn.Module:
    """Its weights of four axes, W among them where it has as many, and the images that it is given."""

    def converted(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        images, *others = inputs
        return images.contiguous(memory_format=torch.channels_last), *others

    model.register_forward_pre_hook(converted)
    for weight in model.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return model


@pytest.mark.parametrize("example", [*CLEAN, *DEVIATING, *IN_LOSS])
def test_channels_last_memory_changes_no_verdict(example: type[Example]) -> None:
    found = behaviour_of(channels_last(example()))
    if example in VIEWS:
        assert found.verdict == "not run"
        assert "view" in found.because
    else:
        assert rows(found) == rows(behaviour_of(example()))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.exhaustive) for seed in range(1, 20))])
@pytest.mark.parametrize("example", CLEAN)
def test_no_weights_make_a_deviation(example: type[Example], seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its own nor those that are written into the copy that is run."""
    values = prepare._values

    def others(layer: str, tensor: InventoryTensor, gain: float, generator: torch.Generator) -> Tensor:
        """The same whenever a copy is made."""
        torch.rand(seed + 1, generator=generator)
        return values(layer, tensor, gain, generator)

    monkeypatch.setattr(prepare, "_values", others)
    torch.manual_seed(seed)
    found = rows(behaviour_of(example()))
    assert {verdict for verdict, _ in found.values()} == {"agrees"}


@pytest.mark.parametrize("example", IN_LOSS)
def test_a_decoder_that_only_the_loss_calls_is_not_seen(example: type[Example]) -> None:
    found = rows(behaviour_of(example()))
    assert found.pop("decoder") == ("not seen", None)
    assert {stage: name for stage, (verdict, name) in found.items() if verdict != "agrees"} == example.DEVIATIONS


@pytest.mark.parametrize("example", IN_LOSS)
def test_a_decoder_that_only_the_loss_calls_is_seen_if_it_is_called(example: type[Example]) -> None:
    model = example()
    found = behaviour(model, inspect_module(model, "mine"), methods=["loss"])
    rows = {row.stage: row for row in found.stages}
    assert (rows["decoder"].verdict, rows["decoder"].model) == ("agrees", "masked by the target")


def test_a_number_of_images_that_is_written_into_the_model_is_that_of_the_example() -> None:
    model = HardCodedBatch()
    inventory = inspect_module(model, "mine")
    found = behaviour(model, inventory, Arguments((torch.rand(7, 1, 12, 12),)))
    assert {row.stage: row.model for row in found.stages if row.verdict == "differs"} == HardCodedBatch.DEVIATIONS
    without = behaviour(model, inventory)
    assert without.verdict == "not run"
    assert "shape '[7, 8, 16]' is invalid" in without.because


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_shipped_variants_are_themselves(variant: str) -> None:
    _is_itself(api.load_variant(variant, settings=SMALL))


@pytest.mark.exhaustive
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_shipped_variants_are_themselves_in_full_size(variant: str) -> None:
    _is_itself(api.load_variant(variant))


def _is_itself(variant: Variant) -> None:
    found = behaviour_of(api.build(variant), against=variant)
    assert {stage: row for stage, row in rows(found).items() if row[0] != "agrees"} == {}
    assert found.verdict == "agrees"


SOURCES = (Path(composed.__file__), *sorted(Path(__file__).with_name("examples").glob("*.py")))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_the_examples_use_nothing_of_capsaudit(source: Path) -> None:
    nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
    imported = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in imported if name.startswith("capsaudit")]
