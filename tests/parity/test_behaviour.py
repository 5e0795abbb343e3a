"""Every deviation of the examples is named, none is invented, and the models stay as they are."""

import pytest
import torch
from torch import nn

from capsaudit import api
from capsaudit.inspection.module import inspect_module
from capsaudit.inventory import Behaviour
from capsaudit.parity.behaviour import behaviour
from tests.parity.examples import CLEAN, DEVIATING, Example, OneForward, UnknownScores, UnknownSquash


def behaviour_of(model: nn.Module) -> Behaviour:
    return behaviour(model, inspect_module(model, "mine"))


def deviations(found: Behaviour) -> dict[str, str | None]:
    return {row.stage: row.model for row in found.stages if row.verdict != "agrees"}


@pytest.mark.parametrize("example", DEVIATING)
def test_every_deviation_is_named_and_no_other(example: type[Example]) -> None:
    found = behaviour_of(example())
    assert found.verdict == "differs"
    assert deviations(found) == example.DEVIATIONS | dict.fromkeys(example.UNSEEN)
    assert {row.stage for row in found.stages if row.verdict == "differs"} == example.DEVIATIONS.keys()
    assert {row.stage for row in found.stages if row.verdict == "not seen"} == example.UNSEEN
    assert next(iter(example.DEVIATIONS)) in found.because
    measured = [row for row in found.stages if row.verdict == "differs" and row.model != "none reaches W"]
    assert all(row.error is not None and row.error > 1e-3 for row in measured)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("example", CLEAN)
def test_none_is_invented(example: type[Example], seed: int) -> None:
    torch.manual_seed(seed)
    found = behaviour_of(example())
    assert (found.verdict, deviations(found)) == ("agrees", {})
    assert all(row.error is not None and row.error < 1e-6 for row in found.stages)


def test_what_nothing_listed_explains_is_not_guessed() -> None:
    """Only the softmax of the first iteration comes before its squash."""
    found = behaviour_of(UnknownSquash())
    verdicts = {row.stage: row.verdict for row in found.stages}
    assert found.verdict == "undetermined"
    assert verdicts["digit_caps.squash"] == "undetermined"
    assert {verdicts[stage] for stage in ("agreement", "iterations", "output")} == {"not seen"}
    assert {row.model for row in found.stages if row.verdict != "agrees"} == {None}


def test_scores_that_nothing_listed_explains() -> None:
    """The stages before them are determined all the same."""
    found = behaviour_of(UnknownScores())
    assert [(row.stage, row.verdict) for row in found.stages if row.verdict != "agrees"] == [
        ("output", "undetermined"),
        ("gradient", "not seen"),
    ]
    assert found.verdict == "undetermined"


@pytest.mark.parametrize("example", [CLEAN[0], DEVIATING[0]])
def test_the_model_stays_as_it_is(example: type[Example]) -> None:
    model = example()
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state, dtype = torch.get_rng_state(), torch.get_default_dtype()
    behaviour_of(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(part.training for part in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == dtype


class Failing(OneForward):
    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        raise ValueError("no luck", x, y)


def test_a_model_that_does_not_run() -> None:
    found = behaviour_of(Failing())
    assert (found.verdict, found.stages) == ("not run", ())
    assert "no luck" in found.because
    assert torch.get_default_dtype() == torch.float32


def test_a_model_that_is_no_capsule_network() -> None:
    assert behaviour_of(nn.Linear(2, 3)).verdict == "not recognised"


@pytest.mark.parametrize(
    ("variant", "stage", "computed"),
    [
        ("released-code", "bias", "added to s"),
        ("trainable-logits", "logits", "stored"),
        ("selected-decoder", "decoder", "selected by the target"),
    ],
)
def test_what_a_variant_says_is_no_deviation(variant: str, stage: str, computed: str) -> None:
    """Small: 24 − 9 + 1 = 16, ⌊(16 − 9)/2⌋ + 1 = 4, so 4·4·4 capsules."""
    small = api.load_variant(variant, settings=("image.size=24", "primary_caps.types=4", "conv1.channels=16"))
    found = behaviour_of(api.build(small))
    assert (found.verdict, deviations(found)) == ("agrees", {})
    assert {row.stage: row.model for row in found.stages}[stage] == computed
