"""Explanations of a figure as a document."""

import msgspec
import pytest

from capsaudit.render.document import Grid
from capsaudit.render.tables.reconcile import reconcile
from capsaudit.results import ChangeHistogram
from tests.render import samples
from tests.render.grids import column, names, raw


def test_the_plainest_explanation_is_the_title() -> None:
    assert (
        reconcile(samples.reconciliation()).title
        == "11.36M: multimnist, 11,361,808; from paper one change, image.size 28 → 36"
    )


def test_a_figure_without_a_strong_explanation_is_said_to_have_none() -> None:
    """8.3M: nothing known has it, and chance gives several explanations with two changes."""
    result = samples.reconciliation("8.3M")
    assert (result.known, result.explanations[0].evidence) == ((), "none")
    assert reconcile(result).title == "8.3M: no strong explanation; the nearest are likely coincidences"


def test_a_search_that_finds_nothing_near_says_so() -> None:
    shown = reconcile(samples.reconciliation("20992"))
    assert "No interpretation rounds to it, and none comes within a tenth of it." in shown.sentences
    assert [part.name for part in shown.parts if isinstance(part, Grid)] == ["known", "by changes"]


def test_what_is_known_is_one_row_for_each_total() -> None:
    """conv1 is the same layer in all networks of one channel and 256 kernels."""
    table = reconcile(samples.reconciliation("20992")).table("known")
    (first, *_) = table.rows
    what, of, *rest = [cell.text for cell in first]
    assert (what, of.startswith("paper, "), rest) == ("conv1", True, ["20,992", "as usual"])


def test_explanations_are_rows_with_what_they_change() -> None:
    table = reconcile(samples.reconciliation()).table("explanations")
    first = dict(zip(names(table), raw(table)[0], strict=True))
    assert (first["changes"], first["total"], first["variant"], first["evidence"]) == (
        1,
        11_361_808,
        "multimnist",
        "strong",
    )
    assert column(table, "changes") == sorted(column(table, "changes"))


def test_where_nothing_explains_a_figure_the_nearest_are_shown() -> None:
    shown = reconcile(samples.reconciliation("9999999"))
    result = samples.reconciliation("9999999")
    assert shown.title.startswith("9,999,999: no interpretation rounds to it")
    assert result.below is not None
    assert result.above is not None
    totals = [row[2] for row in raw(shown.table("explanations"))]
    assert totals == [result.below.total, result.above.total]


def test_a_witness_that_was_not_asked_is_said() -> None:
    assert "Not confirmed: the torch witness was not selected." in reconcile(samples.reconciliation()).sentences
    result = samples.reconciliation()
    agreed = tuple(msgspec.structs.replace(each, confirmed=True) for each in result.explanations)
    differing = (msgspec.structs.replace(agreed[0], confirmed=False), *agreed[1:])
    shown = reconcile(msgspec.structs.replace(result, explanations=differing, shipped=()))
    assert not any("Not confirmed" in each for each in shown.sentences)
    cells = [row[names(shown.table("explanations")).index("torch")] for row in shown.table("explanations").rows]
    assert [cell.text for cell in cells] == ["differs", *["agrees"] * (len(agreed) - 1)]
    assert cells[0].tone == "bad"


def test_the_histogram_ends_with_one_row_for_the_rest() -> None:
    result = samples.reconciliation()
    table = reconcile(result).table("by changes")
    *shown, rest = raw(table)
    assert len(shown) == max(4, *(len(each.changes) for each in result.explanations)) + 1
    assert sum(int(str(row[1])) for row in (*shown, rest)) == result.found


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "< 0.001"), (0.0123, "0.012"), (0.94, "0.94"), (0.96, "1.0"), (9.94, "9.9"), (10, "10"), (4279.4, "4,279")],
)
def test_expected_numbers_are_as_exact_as_they_are_small(value: float, text: str) -> None:
    group = ChangeHistogram(changes=1, found=1, expected_by_chance=value)
    result = msgspec.structs.replace(samples.reconciliation(), by_changes=(group,))
    assert column(reconcile(result).table("by changes"), "expected by chance") == [text]


def test_programs_get_the_same_rows_with_one_value_a_column() -> None:
    result = samples.reconciliation()
    table = reconcile(result).main_table
    assert len(table.rows) == len(result.known) + len({*result.explanations, *result.shipped})
    assert column(table, "kind") == [each.kind for each in result.known] + ["interpretation"] * len(
        {*result.explanations, *result.shipped}
    )
    assert names(table) == [
        "kind",
        "changes",
        "what",
        "total",
        "rounds_to",
        "variant",
        "assumption_cost",
        "evidence",
        "confirmed",
    ]


def test_a_limit_of_changes_is_said() -> None:
    result = msgspec.structs.replace(samples.reconciliation(), changes_at_most=1, examined=40)
    assert any("40 of them with at most one change" in each for each in reconcile(result).sentences)
