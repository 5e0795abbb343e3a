"""What `report` did."""

import pytest

from capsaudit.results.report import Report


@pytest.mark.parametrize(
    ("outdated", "checked", "agrees"),
    [((), True, True), ((), False, True), (("a",), True, False), (("a",), False, True)],
)
def test_a_report_agrees_where_no_file_is_out_of_date_any_longer(
    outdated: tuple[str, ...], checked: bool, agrees: bool
) -> None:
    """Files that were written are up to date now."""
    assert Report(folder="reports", files=("a", "b"), outdated=outdated, checked=checked).agrees is agrees
