"""The sections: in their order, with numbers that are those of the results."""

import re
from collections import Counter

import pytest

from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.pictures import pictures
from capsaudit.reporting.sections import Beside, Notes, Section, answer, sections
from capsaudit.reporting.tables import Table


@pytest.fixture(scope="module")
def found(gathered: ReportContents) -> dict[str, Section]:
    return {section.key: section for section in sections(gathered, pictures(gathered))}


def sentences(section: Section) -> str:
    return " ".join(part for part in section.parts if isinstance(part, str))


def test_the_order_of_reading(found: dict[str, Section]) -> None:
    expected = ["figures", "ledger", "claims", "questions", "networks", "intervals", "interpretations", "method"]
    assert list(found) == expected
    assert all(section.title for section in found.values())


def test_each_picture_is_shown_once(found: dict[str, Section]) -> None:
    shown = [part.picture.file for section in found.values() for part in section.parts if isinstance(part, Beside)]
    assert sorted(shown) == ["figures.svg", "layers.svg", "waterfall.svg"]


def test_what_is_beside_a_picture_has_its_numbers(found: dict[str, Section]) -> None:
    columns = {
        key: [
            column.name for part in found[key].parts if isinstance(part, Beside) for column in first(part).grid.columns
        ]
        for key in ("ledger", "networks", "intervals")
    }
    assert columns["ledger"][:2] == ["knob", "from → to"]
    assert columns["networks"] == ["network", "summary"]
    assert columns["intervals"][0] == "figure"


def first(beside: Beside) -> Table:
    table = beside.parts[0]
    assert isinstance(table, Table)
    return table


def test_no_table_is_empty_and_captions_tell_them_apart(found: dict[str, Section]) -> None:
    parts = [part for section in found.values() for part in section.parts]
    tables = [part for part in parts if isinstance(part, Table)]
    tables += [each for part in parts if isinstance(part, Beside) for each in part.parts if isinstance(each, Table)]
    assert all(table.grid.rows for table in tables)
    assert len({table.caption for table in tables}) == len(tables)


def test_the_claims_are_counted_by_verdict(found: dict[str, Section], gathered: ReportContents) -> None:
    verdicts = Counter(claim.verdict for claim in gathered.claims.claims)
    said = sentences(found["claims"])
    assert str(len(gathered.claims.claims)) in said
    assert all(f"{verdict} {count}" in said for verdict, count in verdicts.items())


def test_the_questions_are_counted_by_whether_they_are_decided(
    found: dict[str, Section], gathered: ReportContents
) -> None:
    decided = sum(question.decided for question in gathered.joint.questions)
    numbers = [int(each) for each in re.findall(r"\d+", sentences(found["questions"]))]
    assert numbers == [len(gathered.joint.questions), decided, len(gathered.joint.questions) - decided]


def test_every_figure_that_was_searched_has_its_explanations(
    found: dict[str, Section], gathered: ReportContents
) -> None:
    tables = [part for part in found["interpretations"].parts if isinstance(part, Table)]
    notes = [part for part in found["interpretations"].parts if isinstance(part, Notes)]
    assert len(tables) == 2 * len(gathered.reconciliations)
    assert len(notes) == len(gathered.reconciliations)
    for result, table in zip(gathered.reconciliations, tables[::2], strict=True):
        assert len(table.grid.rows) >= len(result.explanations)


def test_the_method_names_the_witnesses_and_the_data(found: dict[str, Section], gathered: ReportContents) -> None:
    said = sentences(found["method"])
    assert gathered.digest in said
    assert all(name in said for name in gathered.comparison.variants[0].witnesses)


def test_the_answer_is_three_sentences_about_both_figures(gathered: ReportContents) -> None:
    """8,238,608 − 8,215,568 = 23,040 of the article's sum are logits and coefficients."""
    first, second, third = answer(gathered)
    assert "8,238,608" in first
    assert "11.36M" in first
    assert "23,040" in second
    assert "11,361,808" in third
