"""The message of a failed assertion: what does not agree, and the layers as they are counted."""

import pytest
import torch

from capsaudit import api
from capsaudit.commands.model_claims import judge_counts
from capsaudit.errors import CapsauditError
from capsaudit.inspection.load import inventory_of
from capsaudit.inventory import Inventory
from capsaudit.render.failed_claims import failed_claims
from examples import capsnets


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    with torch.device("meta"):
        return inventory_of(capsnets.EightConvolutions())


def message(inventory: Inventory, stated: dict[str, str | int]) -> list[str]:
    return failed_claims(judge_counts(inventory, stated, "stored"), inventory, "stored").splitlines()


def test_nothing_is_said_where_all_agree(inventory: Inventory) -> None:
    assert message(inventory, {"total": "8.2M", "conv_layer": 20_992}) == []


def test_each_claim_that_does_not_agree_is_a_line_and_then_come_the_layers(inventory: Inventory) -> None:
    wrong, tried, empty, *table = message(inventory, {"conv_layer": 20_993, "total": "8.2M"})
    assert wrong == "conv_layer: 20,992 trainable parameters, stated 20,993 (−1)"
    assert tried == "  no interpretation rounds to 20,993 (2 tried)"  # as it is, and without its 256 biases
    assert empty == ""
    counts = {line.split()[0]: line.split()[-1] for line in table if line.split()[0] != "(the"}
    assert counts["conv_layer"] == "20,992"
    assert counts["capsules.0"] == "663,584"  # (81·256 + 1)·32
    assert counts["total"] == "8,215,568"
    assert len({len(line) for line in table}) == 1  # aligned


def test_of_a_rounded_figure_the_line_says_what_the_count_rounds_to(inventory: Inventory) -> None:
    """A difference of the printed figures would say more than they do."""
    first, *_ = message(inventory, {"total": "8.1M"})
    assert first == "total: 8,215,568 trainable parameters, rounded 8.2M, stated 8.1M"


def test_a_claim_has_its_explanation_below_it(inventory: Inventory) -> None:
    """8,215,568 − 1,411,344 = 6,804,224 without the decoder; 8.21M is 8,215,568 cut."""
    cut, how, *_ = message(inventory, {"total": "8.21M"})
    assert (cut, how) == (
        "total: 8,215,568 trainable parameters, rounded 8.22M, stated 8.21M",
        "  it agrees with 8.21M only when cut instead of rounded",
    )
    _, explained, *_ = message(inventory, {"total": "1,411,344"})
    assert explained.startswith("  1,411,344 = only decoder, exact (")


def test_tensors_of_the_root_are_the_model_s_own(inventory: Inventory) -> None:
    lines = message(inventory, {"total": 1})
    assert any(line.split() == ["(the", "model", "itself)", "1,474,560"] for line in lines)


def test_assert_counts_raises_with_that_message() -> None:
    model = capsnets.EightConvolutions()
    api.assert_counts(model, {"total": "8.2M", "conv_layer": 20_992, "decoder.*": 1_411_344, "route_weights": "1.47M"})
    with pytest.raises(AssertionError, match=r"(?s)conv_layer: 20,992 trainable .*total +8,215,568"):
        api.assert_counts(model, {"conv_layer": 20_993})
    with pytest.raises(CapsauditError, match="no layer or tensor matches 'convlayer'; did you mean 'conv_layer'"):
        api.assert_counts(model, {"convlayer": 20_992})
    api.assert_counts(model, {"primary_caps": 5_308_672})  # (81·256 + 1)·256, by the name of the table
    with pytest.raises(CapsauditError, match="nothing is stated"):
        api.assert_counts(model, {})
