"""Text: no number is ever cut short, whatever the width; nothing in the data moves the cursor."""

import io
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsaudit.render.document import Bar, Column, Document, Grid, Waterfall, number, word
from capsaudit.render.terminal import PipeConsole, draw_waterfall, plain, show
from tests.render.samples import SAMPLES, comparison, count, ledger, unknown_audit

NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+")


def drawn(document: Document, width: int) -> list[str]:
    stream = io.StringIO()
    show(document, PipeConsole(file=stream, highlight=False, width=width, color_system=None))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [30, 40, 80, 120, 200])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_number_is_whole_at_every_width(name: str, width: int) -> None:
    """A picture is left out where there is no room for it; its numbers are those of the table."""
    wide, narrow = (plain(SAMPLES[name](), width=columns) for columns in (500, width))
    assert set(NUMBER.findall(wide)) <= set(NUMBER.findall(narrow))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_keep_within_the_width(width: int) -> None:
    """Only sentences and titles, which a terminal wraps itself, may be longer."""
    lines = plain(comparison(), width=width).splitlines()
    table = [line for line in lines if line.startswith(" ") or "─" in line]
    assert table
    assert all(len(line) <= width for line in table)


def test_a_wide_table_is_split_and_each_piece_names_its_rows() -> None:
    narrow, wide = (plain(comparison(), width=width).splitlines() for width in (80, 500))
    assert len([line for line in wide if line.startswith(" conv1 ")]) == 1
    pieces = [line for line in narrow if line.startswith(" conv1 ")]
    assert len(pieces) > 3
    counts = [count for line in pieces for count in line.split()[1:]]
    (whole,) = [line.split()[1:] for line in wide if line.startswith(" conv1 ")]
    assert counts == whole


def test_a_terminal_too_narrow_for_the_table_gets_records() -> None:
    lines = plain(count(), width=30).splitlines()
    assert "digit_caps" in lines
    assert any(re.fullmatch(r"  trainable +1,497,600", line) for line in lines)
    assert not any(line.endswith(" —") for line in lines)  # what is absent takes no line


def test_columns_of_prose_wrap_between_words() -> None:
    prose = "one two three four five six seven eight nine ten"
    grid = Grid(name="", columns=(Column("name"), Column("prose", wraps=True)), rows=((word("a"), word(prose)),))
    lines = drawn(Document(title="t", parts=(grid,)), 30)
    assert all(len(line) <= 30 for line in lines)
    assert " ".join(" ".join(lines).replace("a ", " ").split()).endswith(prose.removeprefix("one "))


@given(
    st.lists(st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,4}", fullmatch=True), min_size=1, max_size=4),
    st.integers(10, 60),
)
def test_names_break_at_hyphens_and_are_never_cut(names: list[str], width: int) -> None:
    """Also behind a digit, as in `cifar10-released-code`. A terminal too narrow for a table gets records, which name each row."""
    columns = (Column("name", hyphens=True), Column("n"))
    lines = drawn(
        Document(
            title="", parts=(Grid(name="", columns=columns, rows=tuple((word(each), word("")) for each in names)),)
        ),
        width,
    )
    shown = "".join("".join(lines).split())
    assert "".join(names) in shown


def test_names_from_data_cannot_recolour_the_screen() -> None:
    tensor = msgspec.structs.replace(unknown_audit().tensors[0], name="\x1b[31mred")
    hostile = msgspec.structs.replace(unknown_audit(), tensors=(tensor,), lists_tensors=True, target="\x1b]0;title\x07")
    shown = plain(hostile)
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert r"\x1b[31mred" in shown


def test_square_brackets_are_text() -> None:
    """rich would read them as markup."""
    assert drawn(Document(title="[bold]x[/bold]", parts=("[red]y",)), 80) == ["[bold]x[/bold]", "[red]y"]


def test_a_line_is_drawn_where_the_document_asks_for_it() -> None:
    rows = ((word("a"), number(1)), (word("total"), number(1)))
    grid = Grid(name="", columns=(Column("name"), Column("n", right=True)), rows=rows, rules=(1,))
    lines = drawn(Document(title="t", parts=(grid,)), 80)
    shown = ["─" if "─" in line else line.strip() for line in lines if line.strip()]
    assert shown == ["t", "name  n", "─", "a     1", "─", "total 1"]


def test_an_empty_table_is_not_drawn() -> None:
    grid = Grid(name="", columns=(Column("a"), Column("b")), rows=())
    assert drawn(Document(title="t", parts=(grid, "x")), 80) == ["t", "x"]


WATERFALL = Waterfall(
    bars=(
        Bar("start", 0, 100, "100", "total"),
        Bar("up", 100, 160, "+60", "more"),
        Bar("down", 160, 159, "−1", "fewer"),
        Bar("end", 0, 159, "159", "total"),
    ),
)


def test_bars_are_as_long_as_their_numbers_and_the_smallest_one_sign() -> None:
    """160 units on 60 signs: 100 units are 37, 60 from there on are 22; one unit is drawn as one sign."""
    start, up, down, end = [line for line, _ in draw_waterfall(WATERFALL, 80)]
    assert start.count("━") == 100 * 60 // 160
    assert up.count("█") == 60 * 60 // 160
    assert up.index("█") - start.index("━") == 100 * 60 // 160
    assert down.count("▒") == 1
    assert end.count("━") == 159 * 60 // 160
    assert [tone for _, tone in draw_waterfall(WATERFALL, 80)] == ["total", "more", "fewer", "total"]


def test_no_bars_in_a_terminal_too_narrow_for_them() -> None:
    assert list(draw_waterfall(WATERFALL, 20)) == []


def test_every_bar_ends_within_the_width() -> None:
    for width in (40, 60, 100):
        shown = plain(ledger(), width=width).splitlines()
        assert all(len(line) <= width for line in shown if set(line) & set("━█▒"))


def test_a_closed_pipe_is_an_error_and_no_exit_code() -> None:
    with pytest.raises(BrokenPipeError):
        PipeConsole(file=io.StringIO()).on_broken_pipe()
