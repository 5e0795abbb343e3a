"""The table of formats: what it promises is there, and every result can be shown in every format that it has."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.render.formats import (
    FORMATS,
    GATE_FORMATS,
    Format,
    GateFormat,
    PaperFormat,
    TableFormat,
    as_text,
    destinations,
    html,
    one_line,
    plain,
    write,
)
from tests.render.samples import SAMPLES, count, failed_check

CI: tuple[Format, ...] = ("github", "junit", "sarif")


def flattened(type_: Any) -> set[str]:
    return {name for each in get_args(type_) for name in ({each} if isinstance(each, str) else flattened(each))}


def test_the_table_has_every_format_of_the_type() -> None:
    assert FORMATS.keys() == flattened(Format)
    assert flattened(Format) - flattened(TableFormat) == {*CI, "latex"}
    assert flattened(GateFormat) == set(GATE_FORMATS) == flattened(TableFormat) | set(CI)
    assert flattened(PaperFormat) == flattened(TableFormat) | {"latex"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_named_renderer_exists(name: Format) -> None:
    module, _, function = FORMATS[name].partition(".")
    assert callable(getattr(import_module(f"capsaudit.render.{module}"), function))


@pytest.mark.parametrize("kind", sorted(flattened(TableFormat)))
@pytest.mark.parametrize("name", SAMPLES)
def test_every_result_is_shown_in_every_format_of_tables(name: str, kind: Format) -> None:
    assert as_text(SAMPLES[name](), kind).strip()


@pytest.mark.parametrize("kind", CI)
@pytest.mark.parametrize("name", SAMPLES)
def test_the_formats_of_ci_servers_are_for_results_with_claims(name: str, kind: Format) -> None:
    """`check`, `claims` and `audit` have cases; the others say that they have none."""
    result = SAMPLES[name]()
    if type(result).__name__ in ("Check", "Claims", "Audit", "Audits"):
        assert as_text(result, kind).strip()
    else:
        with pytest.raises(CapsauditError, match=rf"^{type(result).__name__} contains no claims"):
            as_text(result, kind)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_result_shows_itself(name: str) -> None:
    result = SAMPLES[name]()
    assert str(result) == plain(result)
    assert result._repr_html_() == html(result)
    assert repr(result) == one_line(result)
    assert "\n" not in repr(result)
    assert repr(result).startswith(f"<{type(result).__name__} ")


def test_output_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    write(count(), "json")
    assert json.loads(capsys.readouterr().out)["variant"] == "article"
    write(count(), "rich")
    assert "8,238,608" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("formats", "outputs", "pairs"),
    [
        (["json"], [], [("json", None)]),
        (["json"], ["-"], [("json", None)]),
        (["sarif", "github"], ["log.sarif"], [("sarif", Path("log.sarif")), ("github", None)]),
        (["sarif", "json"], ["a", "b"], [("sarif", Path("a")), ("json", Path("b"))]),
        (["sarif", "json"], ["-", "b"], [("sarif", None), ("json", Path("b"))]),
    ],
)
def test_formats_and_outputs_in_pairs(formats: list[str], outputs: list[str], pairs: object) -> None:
    assert destinations(formats, outputs) == pairs


@pytest.mark.parametrize(
    ("formats", "outputs", "message"),
    [
        (["jsn"], [], "no format 'jsn'; did you mean 'json'?"),
        (["latex"], [], "no format 'latex'"),
        (["json"], ["a", "b"], "2 times --output and 1 times --format"),
        (["json", "csv"], [], "json and csv would both go to standard output"),
        (["json", "csv"], ["-"], "json and csv would both go to standard output"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(formats: list[str], outputs: list[str], message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        destinations(formats, outputs)
    assert message in str(caught.value)


def test_what_does_not_hold_is_in_every_format_of_ci_servers() -> None:
    """The kernel of 7 has 49·256 + 256 = 12,800 parameters in place of 20,992."""
    for kind in CI:
        text = as_text(failed_check(), kind)
        assert "20,992" in text
        assert "12,800" in text
