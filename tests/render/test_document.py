"""Documents: cells as people and as programs read them, and how grids are cut."""

from typing import get_args

import pytest

from capsaudit.render.document import (
    ABSENT,
    Cell,
    Column,
    Document,
    Grid,
    figure,
    number,
    separated,
    shape,
    verdict,
    word,
)
from capsaudit.results import ClaimVerdict
from tests.render.grids import column, names, rows


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (8_238_608, False, "8,238,608"),
        (0, False, "0"),
        (11_520, True, "+11,520"),
        (-11_520, True, "−11,520"),
        (-11_520, False, "−11,520"),
        (0, True, "0"),
        (None, True, ABSENT),
    ],
)
def test_counts(value: int | None, signed: bool, text: str) -> None:
    assert number(value, signed=signed) == Cell(text, value)


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        ("8238608", "8,238,608"),
        ("11.36M", "11.36M"),
        ("35 400K", "35 400K"),
        ("82432, input 10×16", "82,432, input 10×16"),
        ("12", "12"),
    ],
)
def test_figures_get_separators_where_they_are_whole_numbers(stated: str, text: str) -> None:
    assert separated(stated) == text
    assert figure(stated) == Cell(text, stated)


def test_what_is_absent_is_a_dash_for_people_and_nothing_for_programs() -> None:
    assert word(None) == figure(None) == Cell(ABSENT, None)
    assert word("") == Cell("", "")


def test_shapes_as_people_write_them() -> None:
    assert shape((256, 20, 20)) == Cell("256×20×20", "256×20×20")
    assert shape(()).text == ""


@pytest.mark.parametrize("name", [each for kind in get_args(ClaimVerdict) for each in (get_args(kind) or (kind,))])
def test_every_verdict_has_a_tone(name: ClaimVerdict) -> None:
    assert verdict(name).text == name
    assert (verdict(name).tone == "good") == (name == "agrees")
    assert (verdict(name).tone == "bad") == (name in ("disagrees", "misattributed", "contradicted", "outdated"))


GRID = Grid(
    name="counts",
    columns=tuple(map(Column, ("layer", "a", "b", "c"))),
    rows=(
        (word("conv1"), number(1), number(None), number(3)),
        (word("fc1"), number(None), number(2), number(None)),
        (word("total"), number(1), number(2), number(3)),
    ),
    rules=(2,),
    splits=True,
)


def test_a_piece_repeats_the_first_column_and_leaves_out_empty_rows() -> None:
    piece = GRID.cut(2, 3)
    assert names(piece) == ["layer", "b"]
    assert rows(piece) == [["fc1", "2"], ["total", "2"]]
    assert piece.rules == (1,)  # still before the total
    assert piece.name == "counts"


def test_pieces_together_have_every_value() -> None:
    pieces = [GRID.cut(start, start + 1) for start in range(1, 4)]
    assert [column(piece, piece.columns[1].name) for piece in pieces] == [["1", "1"], ["2", "2"], ["3", "3"]]


def test_tables_are_found_by_name_and_sentences_are_what_is_no_table() -> None:
    other = Grid(name="other", columns=GRID.columns, rows=())
    document = Document(title="counts", parts=("first", GRID, "second", other))
    assert document.table("other") is other
    assert document.table("counts") is GRID
    assert document.sentences == ("first", "second")
    with pytest.raises(StopIteration):
        document.table("third")


def test_the_main_table_is_the_first_unless_there_is_one_for_programs() -> None:
    assert Document(title="", parts=("x", GRID)).main_table is GRID
    other = Grid(name="data", columns=GRID.columns, rows=())
    assert Document(title="", parts=(GRID,), data=lambda: other).main_table is other
