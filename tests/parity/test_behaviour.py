"""Every deviation of the examples is named, none is invented, and the models stay as they are."""

import pickle
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from capsaudit import api
from capsaudit.inspection.module import inspect_module
from capsaudit.inventory import Behaviour
from capsaudit.parity.behaviour import behaviour
from capsaudit.parity.record import TOLERANCE
from tests.parity.networks import (
    CLEAN,
    DEVIATING,
    ElementByElement,
    Example,
    FourConvolutions,
    MeanAgreement,
    OneForward,
    UnknownScores,
    UnknownSquash,
)
from tests.parity.networks.four_convolutions import Replacing, UnknownAgreement


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


@pytest.mark.parametrize("kind", ["squared distance", "a quarter", "negative", "tanh"])
def test_an_agreement_that_nothing_listed_explains_is_no_single_iteration(kind: str) -> None:
    """What comes before it is determined, and so is the squash; nothing is said of what comes after."""
    found = behaviour_of(UnknownAgreement(kind))
    assert {row.stage: (row.verdict, row.model) for row in found.stages if row.verdict != "agrees"} == {
        "agreement": ("undetermined", None),
        **dict.fromkeys(("iterations", "output", "gradient"), ("not seen", None)),
    }
    assert {row.because for row in found.stages if row.verdict == "not seen"} == {
        "a stage before it could not be determined"
    }
    assert next(row for row in found.stages if row.stage == "agreement").because.startswith(
        "nothing that is known fits"
    )


def test_scores_that_nothing_listed_explains() -> None:
    """The stages before them are determined all the same."""
    found = behaviour_of(UnknownScores())
    assert [(row.stage, row.verdict) for row in found.stages if row.verdict != "agrees"] == [
        ("output", "undetermined"),
        ("gradient", "not seen"),
    ]
    assert found.verdict == "undetermined"


class Ending(OneForward):
    """Its forward ends with an exception, if it has one, behind its first routing."""

    calls: Tensor

    def __init__(self, ending: type[BaseException] | None) -> None:
        super().__init__()
        self.ending = ending
        self.register_buffer("calls", torch.zeros(()))
        self.register_forward_pre_hook(lambda *_: None)

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.calls += 1
        torch.rand(3)
        result = super().forward(x, y)
        if self.ending is not None:
            raise self.ending
        return result


@pytest.mark.parametrize("ending", [None, ValueError, KeyboardInterrupt])
def test_the_model_stays_as_it_is(ending: type[BaseException] | None) -> None:
    """Its values bit by bit, modes, hooks and gradients, and what belongs to the process: the random state, the default dtype, the grad mode."""
    model = Ending(ending)
    model.train()
    model.decoder.eval()
    before = pickle.dumps(
        (dict(model.state_dict()), [part.training for part in model.modules()], list(model._forward_pre_hooks))
    )
    process = torch.get_rng_state().tolist(), torch.get_default_dtype(), torch.is_grad_enabled()
    with nullcontext() if ending is not KeyboardInterrupt else pytest.raises(KeyboardInterrupt):
        behaviour_of(model)
    after = pickle.dumps(
        (dict(model.state_dict()), [part.training for part in model.modules()], list(model._forward_pre_hooks))
    )
    assert after == before
    assert (
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    ) == process
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


class OnlyFloat32(FourConvolutions):
    """A constant of float32, which cannot be multiplied with float64."""

    def route(self, hat: torch.Tensor) -> torch.Tensor:
        return super().route(hat @ torch.eye(16, dtype=torch.float32))


@pytest.mark.parametrize("example", [FourConvolutions, MeanAgreement, ElementByElement, Replacing])
def test_a_model_that_does_not_run_in_float64_is_run_in_float32(example: type[FourConvolutions]) -> None:
    found = behaviour_of(type("Example", (OnlyFloat32, example), {})())
    assert (found.precision, behaviour_of(example()).precision) == ("float32", "float64")
    assert deviations(found) == example.DEVIATIONS
    assert 0 < max(row.error or 0 for row in found.stages if row.verdict == "agrees") < TOLERANCE / 10


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
