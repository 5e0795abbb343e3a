"""Claims as a document."""

import msgspec

from capsaudit.render.tables.claims import claims, what_is_claimed
from capsaudit.results import Claims
from tests.render import samples
from tests.render.grids import column, names, raw


def test_claims_source_by_source_with_a_line_between() -> None:
    shown = claims(samples.claims())
    table = shown.table("claims")
    by_id = {claim.id: claim for claim in samples.claims().claims}
    sources = [by_id[name].source for name in column(table, "claim")]
    assert sources == sorted(sources, key=sources.index)  # each source in one piece
    assert len(table.rules) == len(set(sources)) - 1
    assert column(table, "verdict") == [by_id[name].verdict for name in column(table, "claim")]


def test_the_title_counts_what_agrees() -> None:
    found = samples.claims().claims
    agreeing = sum(claim.verdict == "agrees" for claim in found)
    sources = {claim.source for claim in found}
    assert (
        claims(samples.claims()).title == f"{len(found)} claims from {len(sources)} sources, {agreeing} of which agree"
    )


def test_how_each_statement_is_known_is_said_once_a_source_and_for_each_claim_that_differs() -> None:
    sentences = claims(samples.claims()).sentences
    assert "Evidence for paper: quoted by others, unless a claim is listed here." in sentences
    recalled = "Evidence for paper-baseline-multimnist: recalled, neither seen in a copy nor quoted; quoted from memory"
    assert sum(each.startswith(recalled) for each in sentences) == 1
    (first,) = [each for each in sentences if each.startswith("Evidence for paper-multimnist: ")]
    assert "the first version of arXiv 1710.09829" in first
    assert not any("paper-conv1-output" in each for each in sentences)  # as the source
    noted = {claim.id for claim in samples.claims().claims if claim.evidence}
    assert noted <= {each.removeprefix("Evidence for ").partition(":")[0] for each in sentences}


def test_a_source_without_version_and_grade_says_nothing_of_them() -> None:
    unknown = [msgspec.structs.replace(c, version=None, grade=None, evidence=None) for c in samples.claims().claims]
    assert claims(Claims(claims=tuple(unknown))).sentences == ()


def test_a_figure_is_claimed_of_something_and_a_statement_is_itself() -> None:
    by_id = {claim.id: claim for claim in samples.claims().claims}
    total = by_id["article-official-figure"]
    assert what_is_claimed(total) == f"{total.about}: 11.36M"
    layer = next(
        claim for claim in by_id.values() if claim.layer == "digit_caps" and claim.source == "article" and claim.stated
    )
    assert what_is_claimed(layer).startswith(f"digit_caps of {layer.about}: 1,497,600")
    statement = next(claim for claim in by_id.values() if claim.statement)
    assert what_is_claimed(statement) == statement.statement


def test_programs_get_one_value_a_column() -> None:
    table = claims(samples.claims()).main_table
    found = {str(row[0]): dict(zip(names(table), row, strict=True)) for row in raw(table)}
    official = found["article-official-figure"]
    assert (official["stated"], official["exact"], official["verdict"]) == ("11.36M", 8_215_568, "misattributed")
    assert "multimnist" in str(official["true_of"]).split()
