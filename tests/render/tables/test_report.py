"""What became of the report's files."""

import pytest

from capsaudit.render.tables.report import report
from capsaudit.results import Report
from tests.render.grids import column


@pytest.mark.parametrize(
    ("outdated", "checked", "title", "states"),
    [
        ((), True, "reports: up to date", ["up to date", "up to date"]),
        ((), False, "reports: up to date", ["up to date", "up to date"]),
        (("a",), True, "reports: out of date", ["out of date", "up to date"]),
        (("a",), False, "reports: 1 of 2 files written, the others were up to date", ["written", "up to date"]),
    ],
)
def test_the_state_of_each_file(outdated: tuple[str, ...], checked: bool, title: str, states: list[str]) -> None:
    shown = report(Report(folder="reports", files=("a", "b"), outdated=outdated, checked=checked))
    assert shown.title == title
    assert column(shown.table("files"), "state") == states


def test_how_to_write_them_is_said_where_they_were_only_checked() -> None:
    shown = report(Report(folder="mine", files=("a",), outdated=("a",), checked=True))
    (hint,) = shown.sentences
    assert hint.startswith("1 of 1 files are missing or out of date.")
    assert hint.endswith(": capsaudit report --output mine")
