"""reconcile --joint: the paper's figures together. Every expected number is derived beside it."""

import csv
import io
import json
from itertools import product
from typing import Any

import pytest

from capsaudit import api
from capsaudit.catalogue import load_variant
from capsaudit.catalogue.claims import claims_of, joint_claims
from capsaudit.catalogue.spaces import load_space
from capsaudit.commands import joint as command
from capsaudit.commands.joint import FigureOf
from capsaudit.conventions import counted
from capsaudit.families import impossible, layers
from capsaudit.interpretations.axes import applied, axes
from capsaudit.knobs import KnobChange
from capsaudit.published import judge, parse_figure
from capsaudit.results import Joint, Question
from tests.processes import invoke, run

CAPSNETS = ["paper-mnist", "paper-no-reconstruction", "paper-multimnist"]
BASELINES = ["paper-baseline-mnist", "paper-baseline-multimnist"]


@pytest.fixture(scope="module")
def joint() -> Joint:
    return api.reconcile_jointly()


def question(joint: Joint, knob: str, about: str = "paper") -> Question:
    """The question as asked of a network: of `paper`, all three capsule networks answer it."""
    return next(q for q in joint.questions if q.knob == knob and about in q.about)


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
    ("knob", "about", "value", "by", "total", "rounds_to"),
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
def test_excluded(
    joint: Joint, knob: str, about: str, value: object, by: list[str], total: int, rounds_to: str
) -> None:
    found = next(each for each in question(joint, knob, about).excluded if each.value == value)
    assert (list(found.by), found.total, found.rounds_to) == (by, total, rounds_to)


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
    figures = [FigureOf(c.id, c.source, figure, v) for c, figure, v in joint_claims(claims_of(()))][:3]
    assert [each.claim for each in figures] == CAPSNETS
    asked = {each.claim: axes(space, each.variant) for each in figures}
    every: list[Any] = []
    for found in asked.values():
        every += [axis for axis in found if axis not in every]
    allowed: dict[str, set[str]] = {}
    satisfying = 0
    for chosen in product(*(axis.options for axis in every)):
        answer = list(zip(every, chosen, strict=True))
        if all(
            agrees(each, [c for axis, option in answer if axis in asked[each.claim] for c in option])
            for each in figures
        ):
            satisfying += 1
            for axis, option in answer:
                for knob in axis.knobs:
                    before = next(c.before for o in axis.options for c in o if c.knob == knob)
                    allowed.setdefault(knob, set()).add(str(next((c.after for c in option if c.knob == knob), before)))
    spaces = {name: load_space(name) for name in ("capsnet", "baseline")}
    found_jointly = command.joint(figures, spaces)
    assert found_jointly.satisfying == satisfying
    assert {q.knob: set(map(str, q.allowed)) for q in found_jointly.questions} == allowed


def agrees(each: FigureOf, changes: list[KnobChange]) -> bool:
    spec, counting = applied(each.variant.spec, changes)
    if impossible(spec) is not None:
        return False
    return judge(each.figure, sum(tensor.count for _, tensor in counted(layers(spec), counting))) == "agrees"


def test_figures_that_contradict_each_other() -> None:
    """8,215,568 cannot be 8.2M and 9.3M."""
    figures = [
        FigureOf("one", "me", parse_figure("8.2M"), load_variant("paper")),
        FigureOf("two", "me", parse_figure("9.3M"), load_variant("paper")),
    ]
    assert not command.joint(figures, {"capsnet": load_space("capsnet")}).satisfied


def test_an_exact_figure_is_agreed_with_by_its_own_network_alone() -> None:
    figures = [FigureOf("one", "me", parse_figure("8,215,568"), load_variant("paper"))]
    found = command.joint(figures, {"capsnet": load_space("capsnet")})
    assert found.satisfied
    asked = {question.knob: question.allowed for question in found.questions}
    assert (asked["digit_caps.bias"], asked["decoder.input"]) == ((False,), ("masked",))


def test_json_has_the_keys_of_the_contract() -> None:
    found = json.loads(run("reconcile", "--joint", "--format", "json").stdout)
    assert (found["schema"], found["satisfied"]) == (2, True)
    assert found["claims"][0] == "paper-mnist"
    logits = next(knob for knob in found["knobs"] if knob["knob"] == "digit_caps.logits")
    assert logits["allowed"] == ["zero", "frozen"]
    assert [(e["value"], e["by"], e["total"]) for e in logits["excluded"]] == [
        ("trainable", ["paper-multimnist"], 11_393_808)
    ]


def test_csv_has_one_value_a_column() -> None:
    rows = list(csv.DictReader(io.StringIO(invoke("reconcile", "--joint", "--format", "csv").stdout)))
    selected = next(row for row in rows if row["value"] == "selected")
    assert {"knob": "decoder.input", "value": "selected", "allowed": "no"}.items() <= selected.items()


def test_markdown() -> None:
    printed = invoke("reconcile", "--joint", "--format", "markdown").stdout
    assert printed.startswith("### ")
    assert "| --- |" in printed or "| ---: |" in printed
