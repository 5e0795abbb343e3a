"""The search for selections: compared with counting every combination tensor by tensor, and derived by hand."""

from itertools import combinations

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.interpretations.conventions import ModelConvention, conventions_of
from capsaudit.interpretations.selections import explain_by_selections
from capsaudit.inventory import Inventory
from capsaudit.published import parse_figure
from capsaudit.results import SelectionSearch
from capsaudit.selection import SIDES, Selection, experts, parse_experts
from tests.interpretations.models import LANGUAGE_MODEL, inventory, tensor

MIXTURE = inventory(
    tensor("tokens.weight", 100, 8, kind="Embedding"),
    tensor("moe.gate.weight", 4, 8, kind="Linear"),
    tensor("moe.experts.up", 4, 16, 8, kind="Experts"),
    tensor("moe.experts.bias", 4, 16, kind="Experts"),
    tensor("aux.weight", 10, 8, kind="Linear"),
    tensor("norm.weight", 8, kind="BatchNorm1d"),
    tensor("norm.running_mean", 8, kind="BatchNorm1d", buffer=True),
    unused=("aux",),
)
"""800 + 32 + 512 + 64 + 80 + 8 = 1,496."""


def search(figure: str, model: Inventory = LANGUAGE_MODEL, selection: Selection | None = None, changes: int = 2) -> SelectionSearch:  # fmt: skip
    return explain_by_selections(parse_figure(figure), model, selection or Selection(), {}, changes_at_most=changes)


def said(found: SelectionSearch) -> list[list[tuple[str, object]]]:
    return [[(c.knob.removeprefix("counting."), c.after) for c in each.changes] for each in found.explanations]


@pytest.mark.parametrize(
    ("figure", "changes"),
    [
        pytest.param("1156", [], id="as it is"),
        pytest.param("356", [("token_embeddings", "left out")], id="1156 − 800"),
        pytest.param("196", [("token_embeddings", "left out"), ("position_embeddings", "left out")], id="356 − 160"),
        pytest.param("1056", [("output_head", "left out")], id="1156 − 100, the bias of the head"),
        pytest.param("996", [("position_embeddings", "left out")], id="1156 − 160"),
        pytest.param("960", [("submodule", "model.tokens"), ("submodule", "model.positions")], id="800 + 160"),
        pytest.param("1956", [("tied", "under each name")], id="1156 + 800"),
        pytest.param("1228", [("frozen", "counted")], id="1156 + 72"),
        pytest.param("1160", [("buffers", "counted")], id="1156 + 4"),
        pytest.param("1232", [("frozen", "counted"), ("buffers", "counted")], id="1156 + 72 + 4"),
        pytest.param("1.148K", [("normalisations", "left out")], id="1156 − 8"),
    ],
)
def test_the_first_explanation(figure: str, changes: list[tuple[str, object]]) -> None:
    first = search(figure).explanations[0]
    assert said(search(figure))[0] == changes
    assert first.total == parse_figure(figure).value


@pytest.mark.parametrize(
    ("figure", "reading"),
    [
        pytest.param("1.15K", ("rounding", "cut"), id="1156 is 1.16K, cut 1.15K"),
        pytest.param("1200", ("trailing_zeros", "not significant"), id="1156 is 1.2 thousand"),
        pytest.param("1.13K", ("thousands", "1024"), id="1156 / 1024 = 1.129"),
    ],
)
def test_readings_of_the_figure_are_changes(figure: str, reading: tuple[str, str]) -> None:
    """They need one each, so that none is left for a convention; the other conventions come to none of these figures."""
    assert [reading] in said(search(figure, changes=1))


def counted_one_by_one(model: Inventory, selection: Selection, made: tuple[ModelConvention, ...]) -> int | None:
    """The total of conventions together, from the tensors alone."""
    added = {side for each in made for side in each.added}
    removed = {side for each in made for side in each.removed}
    texts = [each.experts for each in made if each.experts]
    if added & removed or len(texts) > 1:
        return None
    sides = (SIDES[selection.count] | added) - removed
    policy = "per name" if any(each.policy for each in made) else selection.policy
    active, of = parse_experts(texts[0]) if texts else (1, 1)
    alone = [each.alone for each in made if each.alone]
    total = 0
    for each in model.tensors:
        is_in = each.side in sides and not any(each.name in other.left_out for other in made)
        if is_in and (not alone or any(each.name in names for names in alone)):
            total += each.by(policy) * active // of if experts(model.tensors).get(each.name) == of else each.by(policy)
    return total


@pytest.mark.parametrize("model", [LANGUAGE_MODEL, MIXTURE], ids=["language model", "mixture"])
@pytest.mark.parametrize("selection", [Selection(), Selection(count="parameters"), Selection(count="all")], ids=str)
def test_the_search_finds_exactly_what_counting_tensor_by_tensor_finds(model: Inventory, selection: Selection) -> None:
    """Every total with its fewest changes, for every figure that is one of them."""
    conventions = tuple(conventions_of(model, selection, selection.tensors(model.tensors, {})))
    fewest: dict[int, int] = {}
    for size in range(3):
        for made in combinations(conventions, size):
            if total := counted_one_by_one(model, selection, made):
                fewest.setdefault(total, size)
    assert len(fewest) > 20
    for total in {near for each in fewest for near in (each - 1, each)} - {0}:
        found = search(str(total), model, selection).explanations
        plain = [each for each in found if not any(c.knob == "counting.trailing_zeros" for c in each.changes)]
        assert {len(each.changes) for each in plain} == ({fewest[total]} if total in fewest else set())
        assert all(each.total == total and each.is_exact for each in plain)


@pytest.mark.parametrize("model", [LANGUAGE_MODEL, MIXTURE], ids=["language model", "mixture"])
def test_an_explanation_is_a_selection_that_counts_as_much(model: Inventory) -> None:
    """So a claim can state it."""
    explained = 0
    for figure in range(100, 2000, 4):
        for each in search(str(figure), model).explanations:
            if each.selection is not None:
                explained += 1
                assert each.selection.total(model.tensors, each.selection.tensors(model.tensors, {})) == each.total
            else:  # buffers beside trainable parameters, without the frozen ones
                assert ("counting.buffers", "counted") in {(c.knob, c.after) for c in each.changes}
                assert "frozen" in {t.side for t in model.tensors}
    assert explained > 50


def test_numbers_in_patterns_are_stars_only_where_nothing_else_matches() -> None:
    layers = [tensor(f"blocks.{n}.{name}.weight", 3, 3, kind="Linear") for n in range(3) for name in ("a", "b")]
    norms = [tensor(f"blocks.{n}.norm.weight", 5, kind="LayerNorm") for n in range(3)]
    model = inventory(*layers, *norms)
    assert search("54", model).explanations[0].selection == Selection(excluded=("blocks.*.norm",))
    odd = inventory(*layers, *norms[:2], tensor("blocks.2.norm.weight", 5, kind="Linear"))
    assert search("59", odd).explanations[0].selection == Selection(excluded=("blocks.0.norm", "blocks.1.norm"))


def test_what_chance_would_give() -> None:
    """One total, 9, lies in 5 … 20 of the figure 10, whose interval has one of these 16 counts; without 3 biases the other is 6."""
    model = inventory(tensor("a.weight", 2, 3, kind="Linear"), tensor("a.bias", 3, kind="Linear"))
    nothing = search("10", model)
    assert nothing.explanations == ()
    assert [round(group.expected_by_chance, 9) for group in nothing.by_changes] == [1 / 16, 1 / 16, 0.0]
    assert nothing.examined == 2


def test_figures_of_a_selection() -> None:
    """A claim about a part is explained within it: the first block has 64 + 8 + 8, and 72 without its bias, or without its normalisation."""
    block = Selection(layers=("model.blocks.0",))
    found = search("72", selection=block)
    assert said(found)[:2] == [[("normalisations", "left out")], [("biases", "left out")]]
    assert {each.selection.layers for each in found.explanations if each.selection} >= {("model.blocks.0",)}


def test_too_many_ways() -> None:
    model = inventory(*(tensor(f"module{number}.weight", number + 1, 2, kind="Linear") for number in range(30)))
    with pytest.raises(CapsauditError, match=r"more than 200,000 ways to count it; allow fewer changes"):
        search("1M", model, changes=8)
