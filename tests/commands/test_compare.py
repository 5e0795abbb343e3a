"""compare: layers and totals side by side, and which stated figures each total rounds to."""

import csv
import io
import json

from capsaudit import api
from tests.expected import AGREEING, LAYERS, TOTALS
from tests.processes import invoke, run


def test_what_each_figure_can_and_cannot_tell_apart() -> None:
    """Frozen logits are stored and not trained, so a total alone does not show them either."""
    figures = api.compare(witnesses=["formula"]).figures
    assert {figure.stated: set(figure.agreeing) for figure in figures} == {
        stated: {name for name, total in TOTALS.items() if total in totals} for stated, totals in AGREEING.items()
    }
    agreeing = {figure.stated: set(figure.agreeing) for figure in figures if figure.stated in ("8.2M", "6.8M")}
    assert agreeing == {
        "8.2M": {"paper", "article", "trainable-logits", "frozen-logits", "released-code"},
        "6.8M": {"paper-no-decoder", "shared-w-grid"},
    }


def test_layers_of_all_families_in_order() -> None:
    assert api.compare(witnesses=["formula"]).layers == LAYERS
    assert api.compare("baseline-multimnist", "paper-no-decoder", witnesses=["formula"]).layers == (
        *("conv1", "conv2", "primary_caps", "digit_caps", "fc1", "fc2"),
    )


def test_one_variant_may_be_compared_with_the_figures_alone() -> None:
    comparison = api.compare("multimnist", witnesses=["formula"])
    assert [figure.stated for figure in comparison.figures if figure.agreeing] == ["11.36M"]


def test_all_witnesses_agree_on_every_total() -> None:
    compared = json.loads(invoke("compare", "--format", "json").stdout)
    assert {v["variant"]: v["trainable"] for v in compared["variants"]} == TOTALS
    assert all(
        set(v["witnesses"].values()) == {v["trainable"]} and len(v["witnesses"]) == 3 for v in compared["variants"]
    )


def test_csv_holds_raw_numbers() -> None:
    compared = list(csv.DictReader(io.StringIO(run("compare", "--witness", "formula", "--format", "csv").stdout)))
    total = next(row for row in compared if row["layer"] == "total")
    assert {name: int(total[name]) for name in TOTALS} == TOTALS
