"""Counts as documents: what is shown adds up, and marks stand where numbers differ."""

import msgspec
import pytest

from capsaudit.render.document import ABSENT
from capsaudit.render.tables.count import agreement, compare, count, variants
from capsaudit.results import Reason
from tests.expected import PAPER, TOTALS
from tests.render import samples
from tests.render.grids import column, names, raw, rows


@pytest.mark.parametrize("variant", ["article", "paper", "baseline-mnist", "paper-no-decoder"])
def test_layers_add_up_to_the_total_that_is_shown(variant: str) -> None:
    table = count(samples.count(variant)).table("layers")
    *layers, total = [row[names(table).index("trainable")] for row in raw(table)]
    assert sum(int(str(each)) for each in layers) == total == TOTALS[variant]
    assert table.rules == (len(layers),)


def test_frozen_values_have_a_column_only_where_there_are_any() -> None:
    assert "frozen" not in names(count(samples.count("paper")).table("layers"))
    table = count(samples.count("frozen-logits")).table("layers")
    assert dict(zip(column(table, "layer"), column(table, "frozen"), strict=True))["digit_caps"] == "11,520"
    assert "frozen 1152·10" in column(table, "formula")[2]


def test_a_figure_that_is_rounded_is_explained() -> None:
    (rounded, *_) = count(samples.count("paper")).sentences
    assert "8,215,568" in rounded
    assert "8.2M at the precision of the stated figure" in rounded
    assert not any("precision" in each for each in count(samples.count("article")).sentences)


def test_sizes_are_equations_and_the_order_of_axes_is_said_once() -> None:
    sentences = count(samples.count("article")).sentences
    assert sentences.count("Shapes are channels first: 256×20×20 is 20×20×256 where channels are last.") == 1
    assert "primary_caps: 6 = ⌊(20 − 9)/2⌋ + 1; 1152 = 6·6·32" in sentences
    assert "digit_caps: 149,760 = 1152·8·16 + 1152 + 1152 for each of 10 classes" in sentences
    assert not any(each.startswith("fc2:") for each in sentences)  # nothing to derive


def test_where_witnesses_differ_is_said() -> None:
    differing = (Reason("witnesses differ", {"what": "conv1", "values": {"formula": 1, "torch": 2}}),)
    result = msgspec.structs.replace(samples.count(), disagreements=differing, witnesses={"formula": 1, "torch": None})
    sentences = count(result).sentences
    assert "Disagreement: conv1: formula 1, torch 2." in sentences
    assert "Witnesses: formula 1 · torch did not count" in sentences


def test_what_differs_from_the_first_column_is_marked() -> None:
    table = compare(samples.comparison()).table("layers")
    assert names(table)[1] == "paper"
    assert not any("≠" in text for text in column(table, "paper"))
    article = dict(zip(column(table, "layer"), column(table, "article"), strict=True))
    assert (article["conv1"], article["digit_caps"], article["total"]) == ("20,992", "≠1,497,600", "≠8,238,608")
    assert "≠" in column(table, "paper-no-decoder")[column(table, "layer").index("fc1")]  # absent, and not in the first


def test_totals_and_the_figures_that_they_agree_with() -> None:
    table = compare(samples.comparison()).table("layers")
    lines = dict(zip(column(table, "layer"), range(len(table.rows)), strict=True))
    totals = raw(table)[lines["total"]][1:]
    assert dict(zip(names(table)[1:], totals, strict=True)) == TOTALS
    agreeing = dict(zip(names(table)[1:], rows(table)[lines["agrees with"]][1:], strict=True))
    assert agreeing["article"].splitlines() == ["8.2M", "8,238,608"]
    assert agreeing["multimnist"] == "11.36M"
    assert agreeing["affnist"] == "none"


def test_a_comparison_says_which_figure_agrees_with_which_variant() -> None:
    (sentence,) = [each for each in compare(samples.comparison()).sentences if each.startswith("11.36M")]
    assert "multimnist" in sentence.partition(":")[0]
    assert sentence.endswith(": multimnist, multimnist-released-code.")


def test_one_variant_alone_is_not_compared() -> None:
    result = samples.comparison()
    alone = msgspec.structs.replace(result, variants=result.variants[:1], figures=())
    shown = compare(alone)
    assert shown.title.startswith("1 variant, ")
    assert not any("differs from" in each for each in shown.sentences)


@pytest.mark.parametrize(
    ("witnesses", "text"),
    [
        ({"formula": PAPER}, "1 alone"),
        ({"formula": PAPER, "torch": PAPER, "torchinfo": PAPER}, "3 agree"),
        ({"formula": PAPER, "torch": None, "torchinfo": None}, "1 alone, 2 did not count"),
    ],
)
def test_how_many_witnesses_agree(witnesses: dict[str, int | None], text: str) -> None:
    assert agreement(msgspec.structs.replace(samples.count("paper"), witnesses=witnesses)).text == text


def test_witnesses_that_differ() -> None:
    why = (Reason("unknown layer", {"layer": "fc9"}),)
    assert agreement(msgspec.structs.replace(samples.count("paper"), disagreements=why)).text == "differ"


def test_the_list_of_variants() -> None:
    shown = variants(samples.variants())
    table = shown.table("variants")
    assert {
        name: int(str(total))
        for name, total in zip(column(table, "variant"), (row[3] for row in raw(table)), strict=True)
    } == TOTALS
    assert dict(zip(column(table, "variant"), column(table, "stated"), strict=True))["smallnorb"] == ABSENT
    assert shown.sentences[0].startswith(f"{len(TOTALS)} variants. ")
