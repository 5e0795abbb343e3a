"""What networks are seen to do, and that a network which does otherwise is seen to."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from capsaudit.catalogue import load_variant
from capsaudit.commands import behaviour_statements
from capsaudit.commands.behaviour_statements import NOT_SEEN, behaviour_of
from capsaudit.models.convolution import ReluConvolution
from capsaudit.models.fully_connected import Decoder
from capsaudit.models.network import CapsuleNetwork, Output
from capsaudit.spec import Data
from capsaudit.train import losses

SEES, TRAINS = "capsules that the decoder sees in training", "capsules that the reconstruction loss trains"
PLACE = "place of the capsule for digit 1, where labels start with 0"
SMALL = ["conv1.channels=4", "primary_caps.types=1", "decoder.hidden=[8]"]
"""The same functions with few parameters."""


def behaviour(*settings: str) -> Data:
    return behaviour_of(load_variant("paper", settings=[*SMALL, *settings]).spec)


@pytest.fixture(autouse=True)
def _measured_anew() -> Iterator[None]:
    behaviour_of.cache_clear()
    yield
    behaviour_of.cache_clear()


def test_the_papers_network() -> None:
    assert behaviour() == {
        "activation of conv1": "ReLU",
        "output": "lengths of the capsules",
        "values of the output": 10,
        SEES: "the correct one",
        TRAINS: "the correct one",
        PLACE: 2,
        "ones in a label": 1,
        "zeros in a label": 9,
    }


def test_a_selected_capsule_is_the_correct_one_as_well() -> None:
    assert behaviour("decoder.input=selected")[SEES] == "the correct one"


def test_without_a_decoder_nothing_is_said_of_it() -> None:
    found = behaviour_of(load_variant("paper", settings=[*SMALL[:2], "decoder=none"]).spec)
    assert SEES not in found
    assert found["values of the output"] == 10


def test_padding_that_the_library_does_not_have_is_not_judged() -> None:
    assert behaviour("conv1.padding=same")["activation of conv1"] == NOT_SEEN


@pytest.mark.parametrize("settings", [["digit_caps.classes=2"], ["digit_caps.classes=1"]])
def test_too_few_classes_to_tell(settings: list[str]) -> None:
    assert behaviour(*settings) == {}


def test_other_families_are_not_run() -> None:
    assert behaviour_of(load_variant("efficient-capsnet").spec) == {}


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("none", lambda values: values),
        ("tanh", torch.tanh),
        ("sigmoid", torch.sigmoid),
        (NOT_SEEN, lambda values: values.square()),
    ],
)
def test_another_activation_is_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[[Tensor], Tensor]
) -> None:
    monkeypatch.setattr(
        ReluConvolution, "forward", lambda self, x: function(F.conv2d(x, self.weight, self.bias, self.stride))
    )
    assert behaviour()["activation of conv1"] == name


def test_an_output_of_probabilities_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    original = CapsuleNetwork.output

    def probabilities(self: CapsuleNetwork, *arguments: Any) -> Output:
        found = original(self, *arguments)
        return found._replace(scores=found.scores.softmax(-1))

    monkeypatch.setattr(CapsuleNetwork, "output", probabilities)
    assert behaviour()["output"] == NOT_SEEN


@pytest.mark.parametrize(
    ("chosen", "seen", "trained"),
    [
        (lambda _, capsules, _classes: capsules.flatten(1), "all", "others"),
        (lambda _, capsules, _classes: (capsules * 0).flatten(1), "none", "none"),
        (
            lambda _, capsules, _classes: (capsules * torch.eye(10)[2].view(1, 10, 1)).flatten(1),
            "others",
            "others",
        ),
    ],
)
def test_a_decoder_that_sees_other_capsules_is_seen(
    monkeypatch: pytest.MonkeyPatch, chosen: Any, seen: str, trained: str
) -> None:
    monkeypatch.setattr(Decoder, "_chosen", chosen)
    found = behaviour()
    assert (found[SEES], found[TRAINS]) == (seen, trained)


def test_labels_that_start_with_1_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    original = losses.present
    monkeypatch.setattr(behaviour_statements, "present", lambda targets, scores: original(targets - 1, scores))
    assert behaviour()[PLACE] == 1


def test_the_global_random_state_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    behaviour()
    assert torch.equal(torch.rand(1), expected)
