"""The paper's figures together. Every expected number is derived beside it."""

from itertools import product
from typing import Any

import pytest

from capsaudit import api
from capsaudit.catalogue import load_variant
from capsaudit.catalogue.claims import joint_claims, load_all_claims
from capsaudit.catalogue.spaces import load_space
from capsaudit.commands.joint import joint_testimony, witnessed
from capsaudit.conventions import counted
from capsaudit.families import impossible, layers
from capsaudit.interpretations.axes import applied, axes
from capsaudit.results import Joint, Question

CAPSNETS = ["paper-mnist", "paper-no-reconstruction", "paper-multimnist"]
BASELINES = ["paper-baseline-mnist", "paper-baseline-multimnist"]


@pytest.fixture(scope="module")
def joint() -> Joint:
    return api.reconcile_jointly()


def question(joint: Joint, knob: str, of: str = "paper") -> Question:
    """The question as asked of a network: of `paper`, all three capsule networks answer it."""
    return next(q for q in joint.questions if q.knob == knob and (of in q.of))


def test_all_five_can_be_true_together(joint: Joint) -> None:
    assert joint.satisfied
    assert [(figure.stated, figure.total) for figure in joint.figures] == [
        ("8.2M", 8_215_568),
        ("6.8M", 6_804_224),
        ("11.36M", 11_361_808),
        ("35.4M", 35_445_522),
        ("24.56M", 24_563_978),
    ]


@pytest.mark.parametrize(
    ("knob", "of", "value", "by", "total", "prints"),
    [
        # 3200·10 logits more than 11,361,808
        pytest.param("digit_caps.logits", "paper", "trainable", ["paper-multimnist"], 11_393_808, "11.39M", id="b"),
        pytest.param("digit_caps.coupling", "paper", "trainable", ["paper-multimnist"], 11_393_808, "11.39M", id="c"),
        # 8,215,568 − 9·16·512
        pytest.param("decoder.input", "paper", "selected", ["paper-mnist", "paper-multimnist"], 8_141_840, "8.1M", id="16 inputs"),
        # 8,215,568 − 1120·1280
        pytest.param("digit_caps.shared_w", "paper", "grid", CAPSNETS, 6_781_968, "6.8M", id="grid"),
        # 28 − 3·4 = 16: 16·16·128 inputs instead of 28·28·128: 35,445,522 − 67,584·328
        pytest.param("padding", "baseline-mnist", "valid", BASELINES, 13_277_970, "13.3M", id="no padding"),
        # (25 + 1)·512 instead of (81 + 1)·512
        pytest.param("layers.1.kernel", "baseline-multimnist", 5, ["paper-baseline-multimnist"], 24_535_306, "24.54M", id="5×5"),
    ],
)  # fmt: skip
def test_excluded(joint: Joint, knob: str, of: str, value: object, by: list[str], total: int, prints: str) -> None:
    found = next(each for each in question(joint, knob, of).excluded if each.value == value)
    assert (list(found.by), found.total, found.rounds_to) == (by, total, prints)


@pytest.mark.parametrize(
    ("knob", "allowed"),
    [
        pytest.param("digit_caps.bias", (False, True), id="160 more: 11,361,968 is 11.36M as well"),
        pytest.param("conv1.bias", (True, False), id="256 less"),
        pytest.param("digit_caps.logits", ("zero", "frozen"), id="frozen ones are not counted"),
    ],
)
def test_what_no_figure_decides(joint: Joint, knob: str, allowed: tuple[object, ...]) -> None:
    assert question(joint, knob).allowed == allowed
    assert not question(joint, knob).decided


def test_equal_to_brute_force() -> None:
    """Every joint answer of the capsule networks, one after the other."""
    space = load_space("capsnet").open_questions()
    figures = [witnessed(c.id, c.source, c.stated or "", v) for c, v in joint_claims(load_all_claims())][:3]
    asked = {each.claim: axes(space, each.variant) for each in figures}
    every: list[Any] = []
    for found in asked.values():
        every += [axis for axis in found if axis not in every]
    allowed: dict[str, set[str]] = {}
    satisfying = 0
    for chosen in product(*(axis.options for axis in every)):
        answer = list(zip(every, chosen, strict=True))
        if all(
            holds(each, [t for axis, option in answer if axis in asked[each.claim] for t in option]) for each in figures
        ):
            satisfying += 1
            for axis, option in answer:
                for knob in axis.knobs:
                    before = next(t.before for o in axis.options for t in o if t.knob == knob)
                    allowed.setdefault(knob, set()).add(str(next((t.after for t in option if t.knob == knob), before)))
    spaces = {name: load_space(name) for name in ("capsnet", "baseline")}
    found_jointly = joint_testimony(figures, spaces)
    assert found_jointly.satisfying == satisfying
    assert {q.knob: set(map(str, q.allowed)) for q in found_jointly.questions} == allowed


def holds(each: Any, turns: list[Any]) -> bool:
    spec, counting = applied(each.variant.spec, turns)
    return impossible(spec) is None and each.figure.agrees_with(sum(n for _, _, n in counted(layers(spec), counting)))


def test_figures_that_contradict_each_other() -> None:
    """8,215,568 cannot be 8.2M and 8.3M."""
    figures = [
        witnessed("one", "me", "8.2M", load_variant("paper")),
        witnessed("two", "me", "9.3M", load_variant("paper")),
    ]
    assert not joint_testimony(figures, {"capsnet": load_space("capsnet")}).satisfied
