"""The closest variant of any family."""

import pytest
import torch
from torch import nn

import capsaudit
from capsaudit import api
from capsaudit.catalogue import load_all, load_variant
from capsaudit.errors import CapsauditError
from capsaudit.families import FAMILIES
from capsaudit.inspection.load import inventory_of
from capsaudit.recognition.base import Match, NoMatch
from capsaudit.recognition.closest import RECOGNISERS, closest
from examples.classifier import SmallClassifier


def test_every_family_has_a_recogniser() -> None:
    assert RECOGNISERS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("name", [variant.id for variant in load_all()])
def test_every_shipped_variant_is_recognised_from_its_module(name: str) -> None:
    result = api.audit(capsaudit.build(name, device="meta"))
    assert (result.closest, result.explanations, result.unexplained) == (name, (), 0)


@pytest.mark.parametrize("name", ["paper", "baseline-multimnist"])
def test_only_variants_of_its_family_are_compared(name: str) -> None:
    inventory = inventory_of(capsaudit.build(name, device="meta"))
    other = {"paper": "baseline-mnist", "baseline-multimnist": "paper"}[name]
    match = closest(inventory, load_all())
    assert isinstance(match, Match)
    assert match.variant.id == name
    assert isinstance(closest(inventory, [load_variant(other)]), NoMatch)
    assert closest(inventory, []) == NoMatch("there is no variant")


def test_of_several_families_the_one_that_fits_best_is_believed() -> None:
    """The same three convolutions could begin a capsule network; the baseline accounts for all."""
    inventory = inventory_of(capsaudit.build("baseline-mnist", device="meta"))
    match = closest(inventory, load_all())
    assert isinstance(match, Match)
    assert match.misfit == 0


def test_no_known_architecture() -> None:
    """The convolution has 4·9 + 4 = 40 values, batch normalisation 8, the last layer 10·(2704 + 1)."""
    result = api.audit(SmallClassifier())
    assert (result.recognised, result.closest, result.difference, result.verdict) == (None, None, None, "unstated")
    assert (result.trainable, result.buffers) == (4 * 10 + 8 + 10 * 2705, 4 + 4 + 1)
    with pytest.raises(
        CapsauditError, match="its tensors match no capsnet network, so it cannot be compared with paper"
    ):
        api.audit(SmallClassifier(), against="paper")


def test_a_model_without_tensors_matches_nothing() -> None:
    assert isinstance(closest(inventory_of(nn.Identity()), load_all()), NoMatch)
    with torch.device("meta"):
        assert isinstance(closest(inventory_of(nn.Linear(3, 3)), load_all()), NoMatch)
