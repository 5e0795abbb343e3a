"""The table of ways to count a model."""

import tomllib

import pytest
from torch import nn

from capsaudit import api
from capsaudit.render.document import Grid
from capsaudit.render.tables import document
from examples.classifier import SmallClassifier
from tests.render.samples import model_reconciliation


def sentences(figure: str) -> list[str]:
    return list(document(model_reconciliation(figure)).sentences)


def test_the_title_has_the_first_explanation() -> None:
    """The head is the last linear layer: 4·26·26·10 + 10 = 27,050 of 27,098."""
    assert document(model_reconciliation("48")).title.startswith(
        "SmallClassifier: 27,098 trainable; 48 = without the last linear layer, exact ("
    )
    assert document(model_reconciliation("5M")).title.startswith(
        "SmallClassifier: 27,098 trainable; no interpretation rounds to 5M ("
    )


def test_a_row_for_each_explanation() -> None:
    (grid,) = [part for part in document(model_reconciliation()).parts if isinstance(part, Grid)]
    assert [[cell.text for cell in row] for row in grid.rows] == [["1", "only head", "27,050", "strong"]]
    assert not [part for part in document(model_reconciliation("5M")).parts if isinstance(part, Grid)]


@pytest.mark.parametrize(
    ("figure", "claim"),
    [
        ("27,050", {"stated": "27,050", "layers": ["head"]}),
        ("27.0K", {"stated": "27.0K", "rounding": "cut"}),
        ("27100", {"stated": "27100", "digits": 3}),
    ],
)
def test_the_first_explanation_as_a_claim_agrees(figure: str, claim: dict[str, object]) -> None:
    (line,) = [each for each in sentences(figure) if each.startswith("As a claim: ")]
    found = tomllib.loads(f"claim = {line.removeprefix('As a claim: ').removesuffix('.')}")["claim"]
    assert found == claim
    api.assert_counts(SmallClassifier(), {"total": found})


def test_names_cannot_forge_lines() -> None:
    """A module may have any name without a dot."""
    model = nn.ModuleDict({"a\n::error::\x1b[31m": nn.Linear(3, 5), "b": nn.Linear(2, 2), "c": nn.Linear(7, 1)})
    shown = str(api.reconcile_model("20", model))
    assert "only a\\n" in shown
    assert "::error" not in shown
    assert "\x1b" not in shown


def test_what_was_tried() -> None:
    said = sentences("27,050")
    assert said[0].startswith("With no change: 0 found, ")
    assert said[1].startswith("With one change: 1 found, ")
    assert any("was not run" in each for each in said)
    assert any(each.endswith("tried, with at most 2 changes.") for each in said)
