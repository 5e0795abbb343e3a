"""Markdown: tables whose cells data cannot end."""

import re

import msgspec
import pytest

from capsaudit.render.document import Bar, Cell, Column, Grid, Waterfall
from capsaudit.render.markdown import as_markdown, fragments
from tests.render.samples import SAMPLES, audit, count


@pytest.mark.parametrize("name", SAMPLES)
def test_every_table_is_whole(name: str) -> None:
    text = as_markdown(SAMPLES[name]())
    tables = re.findall(r"(?:^\|.*\|\n?)+", text, flags=re.MULTILINE)
    assert tables or name == "check"  # nothing failed
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
        assert re.fullmatch(r"\|( -{3}:? \|)+", table.splitlines()[1])


def test_a_heading_then_tables_and_sentences() -> None:
    heading, table, *sentences = as_markdown(count()).split("\n\n")
    assert heading.startswith("### article: ")
    assert table.startswith("| layer | input |")
    assert "| **8,238,608** | 8,238,608 | agrees |" in table
    assert any(sentence.startswith("Witnesses: formula 8,238,608") for sentence in sentences)


def test_data_cannot_end_a_cell_or_become_markup() -> None:
    hostile = "a|b`*[x](y)<z>\\"
    tensors = (msgspec.structs.replace(audit().tensors[0], name=hostile),)
    text = as_markdown(msgspec.structs.replace(audit(), tensors=tensors, lists_tensors=True))
    assert r"a\|b\`\*\[x\](y)\<z\>\\" in text


def test_lines_of_a_cell_and_numbers_to_the_right() -> None:
    grid = Grid(
        name="", columns=(Column("a"), Column("b", right=True)), rows=((Cell("x\ny", "x"), Cell("5", 5, "bad")),)
    )
    assert list(fragments([grid])) == ["| a | b |\n| --- | ---: |\n| x<br>y | **5** |"]


def test_waterfalls_and_empty_tables_are_left_out() -> None:
    empty = Grid(name="", columns=(Column("a"), Column("b")), rows=())
    waterfall = Waterfall(bars=(Bar("a", 0, 1, "1"),))
    assert list(fragments([empty, waterfall, "a sentence"])) == ["a sentence"]
