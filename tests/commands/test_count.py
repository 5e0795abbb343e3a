"""count: verdicts, and the JSON of the contract."""

import json

import pytest

from capsaudit import api
from capsaudit.catalogue import Variant, load_variant
from capsaudit.catalogue.variant import Stated
from capsaudit.errors import CapsauditError
from capsaudit.render.json import as_json


def stated(total: str | None, **layers: str) -> Variant:
    paper = load_variant("paper")
    return Variant(
        id="stated",
        summary="",
        parent=None,
        depth=0,
        spec=paper.spec,
        sources={},
        stated=Stated(source="me", total=total, layers=layers),
    )


@pytest.mark.parametrize(
    ("total", "verdict", "because"),
    [
        ("8.2M", "agrees", None),
        ("8,215,568", "agrees", None),
        ("8.22M", "agrees", None),  # 8.2156 → 8.22
        ("8.21M", "disagrees", "8.21M only when cut off instead of rounded"),
        ("11.36M", "disagrees", "stated 11.36M, counted 8,215,568, which prints as 8.22M"),
        ("8,215,569", "disagrees", "counted 8,215,568"),
    ],
)
def test_verdict_of_a_total(total: str, verdict: str, because: str | None) -> None:
    counted = api.count(stated(total), witnesses=["formula"])
    assert counted.verdict == verdict
    assert counted.agrees == (verdict == "agrees")
    assert because is None or because in counted.because[0]


def test_unstated_is_no_disagreement() -> None:
    counted = api.count(stated(None), witnesses=["formula"])
    assert counted.verdict == "unstated"
    assert counted.agrees


def test_a_layer_that_disagrees_spoils_the_whole() -> None:
    counted = api.count(stated("8.2M", conv1="20,993"), witnesses=["formula"])
    assert counted.verdict == "agrees"
    assert counted.layers[0].verdict == "disagrees"
    assert not counted.agrees


def test_article_agrees_in_all_six_layers() -> None:
    counted = api.count("article")
    assert [(layer.stated, layer.verdict) for layer in counted.layers] == [
        ("20992", "agrees"),
        ("5308672", "agrees"),
        ("1497600", "agrees"),
        ("82432", "agrees"),
        ("525312", "agrees"),
        ("803600", "agrees"),
    ]
    assert (counted.trainable, counted.stated, counted.verdict) == (8_238_608, "8238608", "agrees")


def test_json_of_the_contract() -> None:
    told = json.loads(as_json(api.count("article")))
    assert {
        key: told[key] for key in ("schema", "variant", "input_shape", "trainable", "frozen", "stated", "verdict")
    } == {
        "schema": 1,
        "variant": "article",
        "input_shape": [1, 28, 28],
        "trainable": 8_238_608,
        "frozen": 0,
        "stated": "8238608",
        "verdict": "agrees",
    }
    assert told["witnesses"] == {"formula": 8_238_608, "torch": 8_238_608, "torchinfo": 8_238_608}
    expected = {
        "name": "conv1",
        "input_shape": [1, 28, 28],
        "output_shape": [256, 20, 20],
        "parameters": [
            {"name": "weight", "shape": [256, 1, 9, 9], "count": 20_736, "trainable": True},
            {"name": "bias", "shape": [256], "count": 256, "trainable": True},
        ],
        "formula": "(9·9·1 + 1)·256",
        "trainable": 20_992,
        "frozen": 0,
        "stated": "20992",
        "verdict": "agrees",
    }
    assert {key: told["layers"][0][key] for key in expected} == expected
    digit = json.loads(as_json(api.count("paper", witnesses=["formula"])))["layers"][2]
    assert (digit["name"], digit["input_shape"], digit["output_shape"]) == ("digit_caps", [1152, 8], [10, 16])


def test_the_first_witness_gives_the_figures() -> None:
    assert list(api.count("paper", witnesses=["torch"]).witnesses) == ["torch"]


@pytest.mark.parametrize("witnesses", [["forumla"], ["formula", "thop"]])
def test_unknown_witness(witnesses: list[str]) -> None:
    with pytest.raises(CapsauditError, match="no witness"):
        api.count("paper", witnesses=witnesses)
