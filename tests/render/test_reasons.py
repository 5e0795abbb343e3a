"""Reasons as sentences: every code has one, and no value of a reason gets lost in it."""

from typing import Any, get_args

import pytest

from capsaudit.render import reasons as reasons_
from capsaudit.render.reasons import because, listed, sentence
from capsaudit.results import Reason
from capsaudit.results.base import ReasonCode
from tests.render.samples import SAMPLES, reasons

CODES: tuple[ReasonCode, ...] = get_args(ReasonCode)

ROUNDED: dict[str, Any] = {
    "what": "paper",
    "stated": "8.3M",
    "exact": 8_215_568,
    "rounds_to": "8.2M",
    "approximation": None,
    "count": None,
}

LARGER = {"variant": "multimnist", "exact": 11_361_808, "changes": [{"knob": "image.size", "from": 28, "to": 36}]}
NO_DECODER = {
    "variant": "paper-no-decoder",
    "exact": 6_804_224,
    "changes": [{"knob": "decoder", "from": {"hidden": [512, 1024], "input": "masked"}, "to": "none"}],
}

EXPLANATION = {
    "changes": [{"knob": "counting.biases", "from": "counted", "to": "left out"}],
    "total": 85_056_000,
    "rounds_to": "85M",
    "is_exact": True,
    "expected_by_chance": 0.02,
    "evidence": "strong",
    "selection": {"except": ["*.bias"]},
}

EXAMPLES: list[tuple[ReasonCode, dict[str, Any], list[str]]] = [
    (
        "witnesses differ",
        {"what": "conv1", "values": {"formula": 20_992, "torch": 20_993}},
        ["conv1", "formula 20,992", "torch 20,993"],
    ),
    (
        "witnesses differ",
        {"what": "conv1", "values": {"formula": True, "torch": (1, 2)}},
        ["formula True", "torch (1, 2)"],
    ),
    ("unknown layer", {"layer": "fc9"}, ["fc9"]),
    ("formula", {"formula": "(9·9·1 + 1)·256", "exact": 20_992}, ["(9·9·1 + 1)·256 = 20,992"]),
    ("total", {"exact": 8_215_568}, ["8,215,568"]),
    ("rounds otherwise", ROUNDED, ["paper has 8,215,568", "rounds to 8.2M", "not 8.3M"]),
    (
        "rounds otherwise",
        ROUNDED | {"stated": "8215569", "rounds_to": "8,215,568"},
        ["paper has 8,215,568, not 8,215,569"],
    ),
    ("rounds otherwise", ROUNDED | {"approximation": "cut"}, ["only when cut instead of rounded"]),
    ("rounds otherwise", ROUNDED | {"approximation": "trailing zeros"}, ["only if trailing zeros are not significant"]),
    ("rounds otherwise", ROUNDED | {"count": "buffers"}, ["8,215,568 values in buffers"]),
    (
        "true of",
        {"stated": "11.36M", "variants": [LARGER], "approximate": False},
        ["11.36M is true of multimnist (11,361,808: image.size 28 → 36)"],
    ),
    (
        "true of",
        {"stated": "6800K", "variants": [NO_DECODER, LARGER], "approximate": True},
        ["6800K", "approximately", "of paper-no-decoder (6,804,224: decoder → none) and multimnist ("],
    ),
    ("true of none", {"stated": "9M"}, ["9M"]),
    ("rows add up", {"total": 8_238_608}, ["8,238,608"]),
    (
        "also",
        {"stated": "8.2M", "totals": ["8,227,088 (trainable-logits)"]},
        ["8,227,088 (trainable-logits) also rounds to 8.2M"],
    ),
    ("also", {"stated": "8.2M", "totals": ["1 (a)", "2 (b)", "3 (c)"]}, ["1 (a), 2 (b) and 3 (c) also round to 8.2M"]),
    ("shape", {"what": "output", "stated": "6×6×8", "exact": [1152, 8]}, ["output", "1152×8", "6×6×8"]),
    ("shapes agree", {"layer": "conv1"}, ["conv1"]),
    (
        "knobs agree",
        {"what": "paper", "exact": 8_215_568, "claim": "paper-total", "stated": "8.2M"},
        ["paper", "8,215,568", "paper-total", "8.2M"],
    ),
    (
        "knobs disagree",
        {
            "what": "paper",
            "exact": 8_141_840,
            "rounds_to": "8.1M",
            "stated": "8.2M",
            "source": "paper",
            "place": "section 4",
        },
        ["8,141,840", "rounds to 8.1M", "8.2M", "section 4"],
    ),
    (
        "knobs disagree",
        {"what": "paper", "exact": 5, "rounds_to": "5", "stated": "6", "source": "paper", "place": "p"},
        ["would have 5 parameters, but the paper states 6"],
    ),
    ("no row", {"layer": "fc1"}, ["fc1"]),
    ("rows agree", {}, ["rows"]),
    ("rows are fully connected", {"rows": ["fc1 as (160 + 1)·512 = 82,432"]}, ["fc1 as (160 + 1)·512 = 82,432"]),
    ("rows are not fully connected", {"layers": ["conv1", "fc1"]}, ["conv1 and fc1", "(inputs + 1)·outputs"]),
    ("known", {"text": "paper, equation 3: a softmax"}, ["paper, equation 3: a softmax"]),
    (
        "values agree",
        {"values": {"conv1.bias": True, "conv1.kernel": 9}, "sources": ["paper, section 4"]},
        ["the network has conv1.bias: yes; conv1.kernel: 9 (paper, section 4)"],
    ),
    ("values agree", {"values": {"encoder": ["conv1", "fc1"]}, "sources": []}, ["encoder: conv1, fc1"]),
    (
        "value differs",
        {"name": "primary_caps capsules", "found": 1152, "stated": 32, "same": ["primary_caps.types"]},
        ["primary_caps capsules: 1,152, not 32; 32 is primary_caps.types"],
    ),
    ("value differs", {"name": "conv1.bias", "found": False, "stated": True, "same": []}, ["conv1.bias: no, not yes"]),
    ("formula differs", {"formula": "9·9", "exact": 81, "stated": 8100}, ["9·9 = 81, not 8,100"]),
    (
        "product agrees",
        {"formula": "28·28", "exact": 784, "times": 1, "name": "fc3 outputs", "found": 784},
        ["28·28 = 784, which is the network's fc3 outputs"],
    ),
    (
        "product differs",
        {"formula": "28·28", "exact": 784, "times": 2, "name": "fc3 outputs", "found": 784},
        ["28·28 = 784; 784·2 = 1,568, but the network's value is fc3 outputs 784"],
    ),
    ("the paper says", {"place": "section 3", "statement": "λ is 0.5"}, ["the paper says (section 3): λ is 0.5"]),
    ("no purpose stated", {"of": "the squares"}, ["the paper gives no reason for the squares"]),
    ("no experiment", {"purpose": "speed"}, ["the purpose: speed"]),
    ("shrinking", {"length": 0.5, "shrinking": 3.6, "without": 7.2}, ["0.5", "3.6", "7.2"]),
    ("stable", {"largest": 8.91}, ["8.91"]),
    ("not stable", {}, ["not finite"]),
    ("appeared later", {"source": "released code"}, ["the released code became public later"]),
    ("torch needed", {}, ["torch"]),
    (
        "loss agrees",
        {"where": "where pixels differ", "stated": 0.000125, "trained": 0.000125},
        ["where pixels differ", "0.000125"],
    ),
    (
        "loss disagrees",
        {"where": "where pixels differ", "stated": 0.5, "trained": 0.000125},
        ["where pixels differ", "0.5", "0.000125"],
    ),
    ("losses agree", {"examples": 4}, ["4 test cases"]),
    ("no source", {"source": "released code"}, ["released code"]),
    (
        "source",
        {
            "source": "released code",
            "count": 7,
            "knob": "digit_caps.bias",
            "variant": "released-code",
            "text": "line 5",
        },
        ["7 values", "digit_caps.bias of released-code", "line 5"],
    ),
    ("selected", {"what": "W", "found": 1_474_560, "count": "trainable"}, ["W has 1,474,560 trainable"]),
    ("selected", {"what": "bn", "found": 9, "count": "buffers"}, ["bn has 9", "buffers"]),
    (
        "explained",
        {"stated": "85056000", "explanation": EXPLANATION, "others": 0},
        ["85,056,000 = without biases, exact"],
    ),
    (
        "explained",
        {"stated": "85M", "explanation": EXPLANATION | {"is_exact": False}, "others": 2},
        ["85M = without biases, 85,056,000 (0.02 expected by chance); 2 others with as few changes"],
    ),
    ("not explained", {"stated": "117M", "examined": 1046}, ["no interpretation rounds to 117M (1,046 tried)"]),
    ("not finite", {"step": 3}, ["step 3"]),
    ("unreachable", {"tensors": ["b", "c"], "count": 23_040}, ["b, c", "23,040"]),
    ("not updated", {"tensors": ["b", "c"]}, ["b, c"]),
    ("accuracy", {"before": 0.1, "after": 0.956}, ["10.0%", "95.6%"]),
    ("gained too little", {"before": 0.1, "after": 0.15, "least": 0.1}, ["10.0%", "15.0%", "less than 10%"]),
    (
        "explained too little",
        {"steps": 1080, "explained": 0.04, "least": 0.2},
        ["1,080 steps", "explain 4% of the variance", "below 20%", "more steps"],
    ),
    (
        "changed too little",
        {"steps": 80, "change": 0.03, "least": 0.3},
        ["80 steps", "more than 3% of the range", "below 30%", "more steps"],
    ),
]


@pytest.mark.parametrize(("code", "values", "fragments"), EXAMPLES)
def test_a_sentence_has_the_values_of_its_reason(
    code: ReasonCode, values: dict[str, Any], fragments: list[str]
) -> None:
    said = sentence(Reason(code, values))
    for fragment in fragments:
        assert fragment in said
    assert not said.endswith(".")
    assert not {"{", "}"} & set(said)


def test_every_code_has_a_sentence_and_an_example() -> None:
    assert set(reasons_._SENTENCES) == set(CODES)
    assert {code for code, _, _ in EXAMPLES} == set(CODES)
    assert len(CODES) == len(set(CODES))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_reason_that_a_command_gives_is_a_sentence(name: str) -> None:
    for why in reasons(SAMPLES[name]()):
        said = sentence(why)
        assert said.strip() == said != ""
        assert not {"{", "}"} & set(said), said
        assert "None" not in said


def test_shipped_data_give_reasons_to_begin_with() -> None:
    """Without this the test above could pass on results that have none."""
    found = {why.code for sample in SAMPLES.values() for why in reasons(sample())}
    assert len(found) > len(CODES) // 2


def test_several_reasons_are_one_text() -> None:
    both = (Reason("total", {"exact": 5}), Reason("true of none", {"stated": "6"}))
    assert because(both) == f"{sentence(both[0])}; {sentence(both[1])}"
    assert because(()) == ""


def test_texts_are_listed_with_commas_and_and() -> None:
    assert [listed("a"), listed("ab"), listed("abc")] == ["a", "a and b", "a, b and c"]


def test_whole_numbers_are_separated_in_stated_figures() -> None:
    assert "8,238,608" in sentence(Reason("true of none", {"stated": "8238608"}))
