"""count: verdicts, the JSON of the contract, tables."""

import csv
import io
import json

import msgspec
import pytest

from capsaudit import api
from capsaudit.catalogue import Variant, load_variant
from capsaudit.catalogue.variant import Stated
from capsaudit.errors import CapsauditError
from capsaudit.published import parse_figure
from capsaudit.render.json import as_json
from capsaudit.render.reasons import because
from capsaudit.results.base import reason
from capsaudit.witnesses import LayerCount, WitnessCount
from capsaudit.witnesses import formula as formula_witness
from capsaudit.witnesses import torch as torch_witness
from tests.processes import invoke, run


def stated(total: str | None, **layers: str) -> Variant:
    paper = load_variant("paper")
    return Variant(
        id="stated",
        summary="",
        parent=None,
        depth=0,
        spec=paper.spec,
        sources={},
        stated=Stated(
            source="me",
            total=parse_figure(total) if total else None,
            layers={name: parse_figure(text) for name, text in layers.items()},
        ),
    )


@pytest.mark.parametrize(
    ("total", "verdict", "reason"),
    [
        ("8.2M", "agrees", ""),
        ("8,215,568", "agrees", ""),
        ("8.22M", "agrees", ""),  # 8.2156 → 8.22
        # 8,215,568 is 8.21M only when its tail is cut off
        (
            "8.21M",
            "approximate",
            "stated has 8,215,568, which rounds to 8.22M, not 8.21M; it agrees with 8.21M only when cut instead of rounded",
        ),
        ("11.36M", "disagrees", "stated has 8,215,568, which rounds to 8.22M, not 11.36M"),
        ("8,215,569", "disagrees", "stated has 8,215,568, not 8,215,569"),
    ],
)
def test_verdict_of_a_total(total: str, verdict: str, reason: str) -> None:
    counted = api.count(stated(total), witnesses=["formula"])
    assert counted.verdict == verdict
    assert counted.agrees == (verdict == "agrees")
    assert because(counted.reasons) == reason


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
    found = json.loads(as_json(api.count("article")))
    assert {
        key: found[key] for key in ("schema", "variant", "input_shape", "trainable", "frozen", "stated", "verdict")
    } == {
        "schema": 2,
        "variant": "article",
        "input_shape": [1, 28, 28],
        "trainable": 8_238_608,
        "frozen": 0,
        "stated": "8238608",
        "verdict": "agrees",
    }
    assert found["witnesses"] == {"formula": 8_238_608, "torch": 8_238_608, "torchinfo": 8_238_608}
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
        "buffers": 0,
        "stated": "20992",
        "verdict": "agrees",
    }
    assert {key: found["layers"][0][key] for key in expected} == expected
    digit = json.loads(as_json(api.count("paper", witnesses=["formula"])))["layers"][2]
    assert (digit["name"], digit["input_shape"], digit["output_shape"]) == ("digit_caps", [1152, 8], [10, 16])


def test_the_first_witness_gives_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch that sees one value more in conv1, 20,993, and in all."""
    honest = formula_witness.count(load_variant("paper").spec)
    conv1 = msgspec.structs.replace(honest.layers["conv1"], trainable=20_993)
    other = WitnessCount(trainable=8_215_569, layers=honest.layers | {"conv1": conv1})
    monkeypatch.setattr(torch_witness, "count", lambda _: other)
    for names, conv1_count, total in (
        (["torch", "formula"], 20_993, 8_215_569),
        (["formula", "torch"], 20_992, 8_215_568),
    ):
        counted = api.count("paper", witnesses=names)
        assert (counted.layers[0].trainable, counted.trainable) == (conv1_count, total)
        assert list(counted.witnesses) == names
        assert (counted.verdict, counted.layers[0].verdict) == ("disagrees", "disagrees")
    assert list(api.count("paper", witnesses=["torch"]).witnesses) == ["torch"]


@pytest.mark.parametrize("side", ["trainable", "frozen"])
def test_witnesses_that_differ_in_one_layer_alone(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch that sees a value more in conv1 and does not report its tensors; the totals are those of the formula."""
    honest = formula_witness.count(load_variant("paper").spec)
    found = {"trainable": 20_992, "frozen": 0}
    conv1 = msgspec.structs.replace(LayerCount(trainable=20_992), **{side: found[side] + 1})
    other = msgspec.structs.replace(honest, layers=honest.layers | {"conv1": conv1})
    monkeypatch.setattr(torch_witness, "count", lambda _: other)
    counted = api.count("paper", witnesses=["formula", "torch"])
    differing = {"formula": found[side], "torch": found[side] + 1}
    assert counted.disagreements == ()
    assert reason("witnesses differ", what=f"conv1 {side}", values=differing) in counted.layers[0].disagreements
    assert (counted.layers[0].verdict, counted.verdict) == ("disagrees", "disagrees")


@pytest.mark.parametrize("witnesses", [["forumla"], ["formula", "thop"]])
def test_unknown_witness(witnesses: list[str]) -> None:
    with pytest.raises(CapsauditError, match="no witness"):
        api.count("paper", witnesses=witnesses)


def test_a_variant_is_named_once() -> None:
    """As an argument or as an option."""
    assert invoke("count", "article").stdout == invoke("count", "--variant", "article").stdout
    assert invoke("count", "article", "--variant", "paper").returncode == 2


def test_csv_holds_raw_numbers() -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(run("count", "--variant", "article", "--witness", "formula", "--format", "csv").stdout)
        )
    )
    assert {row["layer"]: row["trainable"] for row in rows}["total"] == "8238608"
    assert {row["layer"]: row["stated"] for row in rows}["total"] == "8238608"


def test_markdown_is_a_table() -> None:
    printed = invoke("count", "--variant", "article", "--format", "markdown").stdout
    assert "| conv1 | 1×28×28 | 256×20×20 | (9·9·1 + 1)·256 | 20,992 | 20,992 | agrees |" in printed
