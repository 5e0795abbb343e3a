"""The tables that only the report has."""

import re
from collections import Counter

import pytest

from capsaudit.render.document import Column, Grid, number, word
from capsaudit.render.tables.claims import what_is_claimed
from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.tables import agreeing, arranged, claims_of, evidence, networks, paper_figures, summaries
from tests.expected import AGREEING, TOTALS
from tests.render.grids import column, names, raw, rows

GRID = Grid(
    name="t",
    columns=(Column("a"), Column("b", right=True), Column("c")),
    rows=((word("x"), number(1), word("y")),),
    rules=(1,),
)


def test_columns_are_put_in_front_and_the_others_follow_in_their_order() -> None:
    found = arranged(GRID, "c", "a")
    assert names(found) == ["c", "a", "b"]
    assert rows(found) == [["y", "x", "1"]]
    assert (found.name, found.rules) == ("t", (1,))
    assert names(arranged(GRID)) == names(GRID)
    assert names(arranged(GRID, "nothing", "b")) == ["b", "a", "c"]


def test_the_paper_s_figures_beside_the_exact_counts(gathered: ReportContents) -> None:
    grid = paper_figures(gathered).grid
    found = {row[0]: row[1] for row in raw(grid)}
    assert found == {
        "8.2M": 8_215_568,
        "6.8M": 6_804_224,
        "11.36M": 11_361_808,
        "35.4M": 35_445_522,
        "24.56M": 24_563_978,
    }
    assert set(column(grid, "verdict")) == {"agrees"}


@pytest.mark.parametrize("source", ["article", "paper"])
def test_every_claim_of_a_source_is_in_its_table(source: str, gathered: ReportContents) -> None:
    table = claims_of(gathered, source)
    claims = [claim for claim in gathered.claims.claims if claim.source == source]
    assert column(table.grid, "id") == [claim.id for claim in claims]
    assert (names(table.grid)[0], names(table.grid)[-1]) == ("claim", "id")
    assert column(table.grid, "claim") == [what_is_claimed(claim) for claim in claims]
    assert gathered.sources[source] in table.caption


def test_a_row_for_each_network_and_a_column_for_each_layer(gathered: ReportContents) -> None:
    grid = networks(gathered.comparison).grid
    found = [dict(zip(names(grid), row, strict=True)) for row in raw(grid)]
    assert {str(row["network"]): row["total"] for row in found} == TOTALS
    for row in found:
        layers = [row[name] for name in gathered.comparison.layers]
        assert sum(int(str(each)) for each in layers if each is not None) == row["total"]
    assert {row["witnesses"] for row in found} == {"3 agree"}


def test_what_each_network_is(gathered: ReportContents) -> None:
    grid = summaries(gathered.comparison).grid
    assert column(grid, "summary") == [counted.summary for counted in gathered.comparison.variants]


def test_the_totals_that_agree_with_each_figure(gathered: ReportContents) -> None:
    grid = agreeing(gathered.comparison).grid
    for stated, low, high, _, agrees in raw(grid):
        totals = sorted({TOTALS[name.split(" (")[0]] for name in str(agrees).split("), ") if name})
        assert totals == AGREEING[str(stated)]
        assert all(int(str(low)) <= total <= int(str(high)) for total in totals)


def test_how_sure_we_are_where_that_is_known(gathered: ReportContents) -> None:
    known = Counter(claim.id for claim in gathered.claims.claims if claim.evidence)
    named = [re.search(r"\(([\w-]+)\): ", each) for each in evidence(gathered)]
    assert Counter(each[1] for each in named if each) == known
    assert known
