"""Every alternative of every stage is named as itself, and two of them at once as both: each composed network against all names."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from capsaudit.catalogue import load_variant
from capsaudit.families.capsnet import CapsNet
from capsaudit.inspection.module import inspect_module
from capsaudit.inventory import Behaviour, BehaviourStage
from capsaudit.parity import decoder, equations
from capsaudit.parity.behaviour import behaviour
from capsaudit.parity.capsnet import gradient, stages
from capsaudit.parity.capsnet.match import stages_of
from capsaudit.parity.capsnet.routing import class_squashes
from tests.parity import composed
from tests.parity.composed import CLASS, KEPT, LAYOUT, ONE_HOT, PAPER, Choices, Composed, alternatives

ALSO_THE_PAPERS = {
    LAYOUT: "channels of one place, taken at equal distances",
    "decoder": "masked by the target; in eval mode masked by the prediction",
    "gradient": "through the last iteration",
}
"""The order of a convolution's channels means nothing; of the other two, the paper says nothing."""

EVERY = 31
"""The default run composes one pair in so many, `pytest -m exhaustive` the others."""


class Alike(NamedTuple):
    """In networks of these `choices`, the `names` of a stage are one function."""

    choices: Choices
    stage: str
    names: tuple[str, ...]
    because: str


UNIFORM = "logits that all images share make a softmax over the batch uniform, whatever they are"
OF_SQUARES = "softmax of the squared lengths"
SINGLE = {"softmax": "over a single value"}
ALL_ONE = "all coupling coefficients are 1, whatever the logits are"
OVER_BATCH = "added, averaged over the batch", "added, summed over the batch"
ALIKE = (
    Alike({**SINGLE, CLASS: "no squash"}, "agreement", tuple(composed.AGREEMENTS.keys() - {stages.OF_SUMS}), ALL_ONE),
    Alike(SINGLE, "agreement", tuple(composed.AGREEMENTS), ALL_ONE),
    Alike(SINGLE, "iterations", ("1", "2", "3", "4"), ALL_ONE),
    Alike({"iterations": "1"}, "agreement", tuple(composed.AGREEMENTS), "one iteration computes no agreement"),
    Alike(
        {"iterations": "2"},
        "agreement",
        ("added, each image by itself", "replaces the logits"),
        "the logits that it is added to are zero",
    ),
    *(Alike({"softmax": "over the batch", "agreement": each}, "agreement", OVER_BATCH, UNIFORM) for each in OVER_BATCH),
    *(
        Alike({"softmax": "over the batch", "agreement": each}, "iterations", ("1", "2", "3", "4"), UNIFORM)
        for each in OVER_BATCH
    ),
)


class Follows(NamedTuple):
    """In networks of these `choices`, a stage computes `name`, or is not determined, whatever is chosen for it."""

    choices: Choices
    stage: str
    name: str | None
    because: str


FOLLOWS = (
    Follows(SINGLE, "logits", "zero", ALL_ONE),
    Follows(SINGLE, "gradient", None, ALL_ONE),
    Follows(
        {CLASS: "no squash", "agreement": stages.OF_SUMS},
        "agreement",
        PAPER["agreement"],
        "capsules that are not squashed are the sums",
    ),
    Follows({"iterations": "1"}, "logits", "zero", "none are computed"),
    Follows({"iterations": "1"}, "gradient", None, "there is no iteration before the last"),
    Follows({"logits": KEPT}, "gradient", None, "a second call does not compute what was read of the first"),
    Follows(
        {CLASS: "no squash", "output": OF_SQUARES},
        "gradient",
        None,
        "it is zero but for rounding: that softmax is 1 or 0",
    ),
    *(Follows({"softmax": "over the batch", "agreement": each}, "gradient", None, UNIFORM) for each in OVER_BATCH),
    Follows({"output": ONE_HOT}, "gradient", "none reaches W", "a class has no derivative"),
)
"""The first that says something of a stage counts."""

ONE_FUNCTION = [{"softmax": "over the batch", "iterations": "1"}]
"""Pairs that are another network of the list: a uniform softmax, as with one of `OVER_BATCH`."""

REFERENCE = load_variant("paper")


def behaviour_of(choices: Choices) -> Behaviour:
    model = Composed(choices)
    return behaviour(model, inspect_module(model, "mine"), against=REFERENCE)


def alike(choices: Choices, stage: str) -> tuple[str, ...]:
    """What the choice at a stage cannot be told from."""
    found = [each for each in ALIKE if each.choices.items() <= choices.items() and choices[stage] in each.names]
    return next((each.names for each in found if each.stage == stage), ())


def is_as(made: Choices, row: BehaviourStage) -> bool:
    """Whether a row names what was chosen; where several are alike, all of them or nothing."""
    follows = [each.name for each in FOLLOWS if each.choices.items() <= made.items() and each.stage == row.stage]
    wanted = follows[0] if follows else {"votes": "û = W u", **made}[row.stage]
    if wanted is None:
        return row.verdict in ("undetermined", "not seen") and row.model is None
    if not follows and row.stage in made and (names := alike(made, row.stage)):
        found = row.model.split(" or ") if row.model else names
        return row.verdict in ("undetermined", "not seen") and set(names) <= set(found)
    agrees = wanted in ("û = W u", PAPER.get(row.stage), ALSO_THE_PAPERS.get(row.stage))
    return (row.verdict, row.model) == ("agrees" if agrees else "differs", wanted)


def wrong(choices: Choices) -> dict[str, str]:
    """What behaviour names at the stages where it is not what was chosen."""
    made, found = {**PAPER, **choices}, behaviour_of(choices)
    return {row.stage: f"{row.verdict}: {row.model}" for row in found.stages if not is_as(made, row)}


def pairs() -> Iterator[Choices]:
    for one, two in combinations(PAPER, 2):
        for first in alternatives()[one]:
            possible = alternatives(first) if one == LAYOUT else alternatives()
            made = ({one: first, two: second} for second in possible[two])
            yield from (each for each in made if each not in ONE_FUNCTION)


def marked(each: Choices, number: int) -> object:
    marks = [] if number % EVERY == 0 else [pytest.mark.exhaustive]
    return pytest.param(each, marks=marks, id=", ".join(f"{stage}: {name}" for stage, name in each.items()))


def test_the_paper_is_found() -> None:
    found = behaviour_of({})
    assert found.verdict == "agrees"
    assert {row.stage for row in found.stages} == {*PAPER, "votes"}


def test_every_alternative_can_be_composed() -> None:
    """And every stage: what is added to the tables belongs into `composed.py` as well."""
    spec = REFERENCE.spec
    assert isinstance(spec, CapsNet)
    assert {each.name for each in stages_of(spec)} == {*PAPER, "votes"}
    assert composed.ACTIVATIONS.keys() == decoder.ACTIVATIONS.keys()
    assert composed.LAST.keys() == decoder.LAST.keys()
    assert composed.GRADIENTS.keys() == gradient.GRADIENTS.keys()
    assert composed.LAYOUTS.keys() == equations.LAYOUTS.keys()
    assert composed.SQUASHES.keys() == stages.SQUASHES.keys()
    assert composed.OVER_WRONG_AXES.keys() == set(stages.USUAL_SQUASHES)
    assert composed.class_squashes().keys() == class_squashes(composed.CLASSES).keys()
    assert composed.SOFTMAXES.keys() == stages.SOFTMAXES.keys()
    assert composed.AGREEMENTS.keys() == stages.AGREEMENTS.keys()
    assert composed.OUTPUTS.keys() == equations.OUTPUTS.keys()


@pytest.mark.parametrize("stage", PAPER)
def test_the_confusion_of_a_stage_is_diagonal(stage: str) -> None:
    table = {name: wrong({stage: name}) for name in alternatives()[stage]}
    lines = [f"{name:<82}{found or 'itself, and nothing else'}" for name, found in table.items()]
    assert not any(table.values()), "\n".join(["composed, and what was named:", *lines])


@pytest.mark.parametrize("choices", [marked(each, number) for number, each in enumerate(pairs())])
def test_two_alternatives_at_once(choices: Choices) -> None:
    assert wrong(choices) == {}


@pytest.mark.parametrize("each", ALIKE)
def test_what_is_alike_is_one_function(each: Alike) -> None:
    """In the paper's network the same names are several."""
    assert _largest_difference(each.choices, each) < 1e-6, each.because
    assert _largest_difference({}, each) > 1e-4


def _largest_difference(choices: Choices, each: Alike) -> float:
    """Between the scores with the first of these names and those with any other."""
    torch.manual_seed(0)
    model, images, labels = Composed(PAPER), torch.rand(3, 1, 12, 12), torch.arange(3)
    scores: list[Tensor] = []
    for name in each.names:
        model.choices = {**PAPER, **choices, each.stage: name}
        scores.append(model(images, labels)[0])
    return max((scores[0] - other).abs().max().item() for other in scores[1:])
