"""What figures decide together, as a document."""

import msgspec

from capsaudit.render.tables.joint import joint
from tests.render import samples
from tests.render.grids import column, names, raw, rows


def test_the_figures_with_their_totals() -> None:
    table = joint(samples.joint()).table("figures")
    assert [row[2:4] for row in raw(table)] == [
        ["8.2M", 8_215_568],
        ["6.8M", 6_804_224],
        ["11.36M", 11_361_808],
        ["35.4M", 35_445_522],
        ["24.56M", 24_563_978],
    ]
    assert set(column(table, "verdict")) == {"agrees"}


def test_questions_with_the_answers_that_are_left_and_what_excludes_the_others() -> None:
    table = joint(samples.joint()).table("questions")
    found = {row[0]: row for row in rows(table)}
    assert found["decoder.input"][2:] == ["masked", "selected: 8.1M instead of 8.2M"]  # 8,141,840
    assert found["digit_caps.logits"][2] == "zero, frozen"
    assert "trainable: 11.39M instead of 11.36M" in found["digit_caps.logits"][3]  # 11,393,808
    assert found["conv1.bias"][3] == "nothing"


def test_what_is_not_decided_stands_out() -> None:
    table = joint(samples.joint()).table("questions")
    for question, row in zip(samples.joint().questions, table.rows, strict=True):
        assert (row[2].tone == "changed") == (not question.decided)


def test_programs_get_a_row_for_each_value() -> None:
    table = joint(samples.joint()).main_table
    found = [dict(zip(names(table), row, strict=True)) for row in raw(table)]
    assert len(found) == sum(len(q.allowed) + len(q.excluded) for q in samples.joint().questions)
    (selected,) = [row for row in found if row["knob"] == "decoder.input" and row["value"] == "selected"]
    assert (selected["allowed"], selected["total"], selected["rounds_to"]) == ("no", 8_141_840, "8.1M")


def test_the_title_says_whether_all_can_be_true() -> None:
    assert joint(samples.joint()).title.endswith("they can all be true together")
    never = msgspec.structs.replace(samples.joint(), satisfied=False)
    assert joint(never).title.endswith("no interpretation makes all of them true")
    assert not any("conv1.bias (true or false)" in each for each in joint(never).sentences)


def test_why_each_value_is_excluded_is_a_sentence() -> None:
    sentences = joint(samples.joint()).sentences
    excluded = [each for question in samples.joint().questions for each in question.excluded]
    for each in excluded:
        assert any(f"{each.total:,}" in sentence and each.source in sentence for sentence in sentences)
    assert any("conv1.bias (true or false)" in each for each in sentences)
