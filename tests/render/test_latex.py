"""LaTeX: its structure, the numbers in it, and that no text is a command. Nothing is compiled."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsaudit import api
from capsaudit.errors import CapsauditError
from capsaudit.render.document import Cell, Column, Grid, word
from capsaudit.render.latex import _parts, escape, latex
from capsaudit.render.tables import document
from capsaudit.results import Result
from tests.render.samples import SAMPLES, claims, comparison, count

PAPER = ("count", "compare", "claims")

NAMED = {
    **{f"\\{sign}": sign for sign in "&%$#_{}"},
    "\\textbackslash{}": "\\",
    "\\textasciitilde{}": "~",
    "\\textasciicircum{}": "^",
    "\\textasciigrave{}": "`",
    "\\textless{}": "<",
    "\\textgreater{}": ">",
    "\\textbar{}": "|",
    "\\symbol{34}": '"',
    "{[}": "[",
    "{]}": "]",
    "{*}": "*",
    "$\\times$": "×",
    "$\\cdot$": "·",
    "$-$": "−",
    "$\\to$": "→",
    "$\\neq$": "≠",
    "$\\leq$": "≤",
    "$\\geq$": "≥",
    "$^2$": "²",
    "\\dots{}": "…",
    "\\^u": "û",
    "\\textemdash{}": "—",
    "\\textendash{}": "–",
    "{}": "",
}
"""What LaTeX prints for each of these, from its manual."""

COMMAND = re.compile("|".join(map(re.escape, sorted(NAMED, key=len, reverse=True))))


def printed(source: str) -> str:
    """What LaTeX prints of a text; anything else that would be a command fails."""
    bare = re.sub(COMMAND, "", source)
    assert not set(bare) & set('\\&%$#_{}~^<>|`"*[]\n'), bare
    return COMMAND.sub(lambda found: NAMED[found[0]], source)


@given(st.text("ab1 -–—,'`\"?!&%$#_{}~^\\<>|[]*×·−→≠≤≥²…û", max_size=12))
def test_every_text_is_printed_as_it_is(text: str) -> None:
    assert printed(escape(text)) == text


@pytest.mark.parametrize("text", ["--", "---", "''", ",,"])
def test_no_two_characters_become_one(text: str) -> None:
    assert text not in escape(text)
    assert "--" not in escape(text)


def tables(source: str) -> list[tuple[str, list[str]]]:
    """The columns and the lines of each table, with the frames that belong to its environment."""
    found = []
    for kind, columns, body in re.findall(
        r"\\begin\{(tabular|longtable)\}\{([^\n]*)\}\n(.*?)\\end\{\1\}", source, re.DOTALL
    ):
        lines = [line for line in body.splitlines() if not line.startswith("\\caption") and line != "\\endhead"]
        assert lines[0] == "\\toprule"
        assert lines[2] == "\\midrule"
        assert lines[-1] == "\\bottomrule"
        assert (kind == "longtable") == ("\\endhead" in body)
        specifiers = re.sub(r">\{\\raggedright\\arraybackslash\}p\{0\.\d\d\\linewidth\}", "p", columns)
        assert set(specifiers) <= set("lrp")
        found.append((specifiers, [line for line in (lines[1], *lines[3:-1]) if line != "\\midrule"]))
    return found


@pytest.mark.parametrize("name", PAPER)
def test_every_environment_ends_and_every_row_has_a_cell_for_each_column(name: str) -> None:
    source = latex(SAMPLES[name]())
    open_environments: list[str] = []
    for command, environment in re.findall(r"\\(begin|end)\{(\w+)\}", source):
        if command == "begin":
            open_environments.append(environment)
        else:
            assert open_environments.pop() == environment
    assert open_environments == []
    assert source.count("\\begingroup") == source.count("\\endgroup")
    unescaped = re.sub(r"\\[{}]", "", source)
    assert unescaped.count("{") == unescaped.count("}")
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\$", source)) % 2 == 0
    found = tables(source)
    assert found
    assert source.count("\\caption{") == len(found)
    for specifiers, lines in found:
        for line in lines:
            assert line.endswith(" \\\\")
            assert len(re.findall(r"(?<!\\)&", line)) == len(specifiers) - 1, line


@pytest.mark.parametrize("name", PAPER)
def test_every_cell_and_sentence_is_there(name: str) -> None:
    result = SAMPLES[name]()
    shown, source = document(result), latex(result)
    for part in shown.parts:
        if isinstance(part, str):
            assert f"\n\n{escape(part)}" in source
        elif isinstance(part, Grid):
            assert all(escape(cell.text.split("\n")[-1]) in source for row in part.rows for cell in row)
    assert escape(shown.title) in source


def test_a_count_is_one_table_with_a_line_above_its_total() -> None:
    """The six layers of the article and their sum; formulas wrap, numbers are on the right."""
    source = latex(count())
    ((specifiers, lines),) = tables(source)
    assert specifiers == "lllprrl"
    assert len(lines) == 1 + 6 + 1
    assert source.count("\\midrule") == 2
    assert "\\midrule\ntotal &  &  &  & 8,238,608 & 8,238,608 & agrees \\\\\n\\bottomrule" in source
    assert "(9$\\cdot$9$\\cdot$256 + 1)$\\cdot$8$\\cdot$32" in source


def test_a_wide_comparison_is_several_tables_of_six_columns_at_most() -> None:
    found = tables(latex(comparison()))
    assert all(len(specifiers) <= 6 for specifiers, _ in found)
    assert sum(len(specifiers) - 1 for specifiers, _ in found) == len(comparison().variants)
    assert "\\shortstack[r]{multimnist-\\\\released-\\\\code}" in latex(comparison())


def test_many_rows_continue_on_the_next_page() -> None:
    """Twenty rows are a float of their own, twenty-one a longtable."""
    for rows, environment in ((20, "table"), (21, "longtable")):
        grid = Grid(name="t", columns=(Column("a"), Column("b")), rows=((word("x"), word("y")),) * rows)
        source = "\n".join(_parts("title", (grid,)))
        assert f"\\begin{{{environment}}}" in source
        assert source.count("x & y") == rows
    assert "\\begin{longtable}" in latex(claims())


def test_lines_of_a_cell_stay_apart() -> None:
    columns = (Column("a"), Column("b", wraps=True), Column("c", right=True))
    grid = Grid(name="t", columns=columns, rows=((Cell("1\n[2", "", ""), word("p\nq"), word("x\n*y")),))
    source = "\n".join(_parts("title", (grid,)))
    assert "\\shortstack[l]{1\\\\{[}2} & p\\newline q & \\shortstack[r]{x\\\\{*}y} \\\\" in source


def test_widths_of_columns_that_wrap_fit_on_the_line() -> None:
    for name in PAPER:
        for columns in re.findall(r"\\begin\{(?:tabular|longtable)\}\{(.*)\}\n", latex(SAMPLES[name]())):
            assert sum(map(float, re.findall(r"p\{(0\.\d\d)", columns))) <= 1


def test_hostile_names_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a_b%$#{}~^&.toml"
    path.write_text('extends = "paper"\nsummary = "\\\\input{/etc/passwd} % \\u001b[31m"\n')
    source = latex(api.count(path, witnesses=["formula"]))
    assert "a\\_b\\%\\$\\#\\{\\}\\textasciitilde{}\\textasciicircum{}\\&: " in source
    assert "\\input" not in source
    assert "\x1b" not in source
    assert "\\textbackslash{}x1b{[}31m" in source


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - set(PAPER)))
def test_other_results_say_that_they_have_none(name: str) -> None:
    result: Result = SAMPLES[name]()
    with pytest.raises(CapsauditError, match=f"^{type(result).__name__} has no LaTeX; count, compare and claims do"):
        latex(result)
