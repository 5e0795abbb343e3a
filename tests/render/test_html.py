"""HTML fragments for notebooks: whole tables, and nothing in them that data could make into markup."""

import msgspec
import pytest

from capsaudit.render.html import html
from tests.render.samples import SAMPLES, audit, count, unknown_audit
from tests.reporting.elements import Elements


@pytest.mark.parametrize("name", SAMPLES)
def test_every_table_is_whole(name: str) -> None:
    """A head over each column, a head before each row, as many cells as heads."""
    shown = html(SAMPLES[name]())
    Elements(shown)  # every element is closed as it was opened
    tables = shown.split("<table>")[1:]
    assert tables or name == "check"  # nothing failed
    for table in tables:
        heads, *rows = table.partition("</table>")[0].split("<tr")[1:]
        columns = heads.count('<th scope="col"')
        assert rows
        for row in rows:
            assert (row.count('<th scope="row"'), row.count("<td")) == (1, columns - 1)


def test_numbers_are_there_and_aligned() -> None:
    shown = html(count())
    assert "8,238,608</td>" in shown
    assert "text-align:right" in shown
    assert 'style="font-weight:bold;text-align:right">8,238,608' in shown


def test_a_notebook_shows_an_audit() -> None:
    """4·10 + 8 + 10·2705 = 27,098."""
    shown = html(unknown_audit())
    assert "27,098" in shown
    assert "<table>" in shown


def test_data_cannot_become_markup() -> None:
    hostile = '<script>alert("1")</script>'
    tensors = (msgspec.structs.replace(audit().tensors[0], name=hostile),)
    shown = html(
        msgspec.structs.replace(audit(), target=hostile, tensors=tensors, notes=(hostile,), lists_tensors=True)
    )
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") >= 3


def test_lines_of_a_cell_stay_lines() -> None:
    assert "<br>" in html(SAMPLES["reconcile"]())
