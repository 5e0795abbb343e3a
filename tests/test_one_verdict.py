"""One figure has one verdict wherever it is shown: in every command, in the report, in JSON and in tables."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import capsaudit
from capsaudit import api
from examples import capsnets
from tests.processes import invoke

FIGURES = [
    pytest.param("8.2M", "paper", 8_215_568, "paper-mnist", id="8.2M"),
    # 20,992 + 5,308,672 + 3200·1280 + 82,432 + 525,312 + 1025·1296
    pytest.param("11.36M", "multimnist", 11_361_808, "paper-multimnist", id="11.36M"),
    # 8,215,568 + 2·11,520
    pytest.param("8238608", "article", 8_238_608, "article-total", id="8238608"),
]
"""A figure, the network that it is stated for, what that has, and the claim that states it."""

Shown = dict[str, str]
"""The verdict on a figure, by the place where it is shown."""


def answer(*arguments: str, cwd: Path | None = None) -> Any:
    """The JSON of a command."""
    return json.loads(invoke(*arguments, "--format", "json", cwd=cwd).stdout)


def table_rows(*arguments: str) -> list[dict[str, str]]:
    """The rows of all tables that a command writes as Markdown."""
    return list(rows_of(invoke(*arguments, "--format", "markdown").stdout))


def rows_of(markdown: str) -> Iterator[dict[str, str]]:
    """The rows of all Markdown tables, by their heads; what is bold is plain."""
    heads: list[str] = []
    for line in markdown.splitlines():
        if not line.startswith("| "):
            heads = []
        elif not heads:
            heads = cells(line)
        elif not set(line) <= set("|-: "):
            yield dict(zip(heads, cells(line), strict=True))


def cells(line: str) -> list[str]:
    return [cell.strip().replace("**", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def row(rows: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    """The only row with these cells."""
    (found,) = [each for each in rows if wanted.items() <= each.items()]
    return found


def separated(figure: str) -> str:
    return f"{int(figure):,}" if figure.isdecimal() else figure


def in_counts(figure: str, name: str, about: str) -> Iterator[tuple[str, str]]:
    """`name`: the variant's id or file; `about`: what results call it."""
    yield "count", answer("count", name)["verdict"]
    yield "count, one witness", answer("count", name, "--witness", "formula")["verdict"]
    yield "count, the table", row(table_rows("count", name), layer="total", stated=separated(figure))["verdict"]
    compared = answer("compare", name)
    (counted,) = compared["variants"]
    yield "compare", counted["verdict"]
    stated = next(each for each in compared["figures"] if (each["stated"], each["about"]) == (figure, about))
    yield "compare, the figures", "agrees" if stated["agreeing"] == [about] else "disagrees"
    table = table_rows("compare", name)
    yield "compare, the table", row(table, layer="verdict")[about]
    yield (
        "compare, what it agrees with",
        "agrees" if separated(figure) in row(table, layer="agrees with")[about].split("<br>") else "disagrees",
    )
    checked = answer("check", name)
    about_total = [failure for failure in checked["failures"] if failure["layer"] is None]
    yield "check", "agrees" if checked["agrees"] and not about_total else "disagrees"


def in_claims(name: str, rows: list[dict[str, str]], judged: Any) -> Iterator[tuple[str, str]]:
    yield "claims", next(claim["verdict"] for claim in judged["claims"] if claim["id"] == name)
    yield "claims, the table", row(rows, claim=name)["verdict"]


def in_a_search(figure: str, name: str, total: int) -> Iterator[tuple[str, str]]:
    """The network itself is an explanation of its figure, without a change; otherwise it is none."""
    found = answer("reconcile", figure, "--from", name, "--top", "1", "--witness", "formula")["explanations"]
    itself = [each["total"] for each in found if not each["changes"]]
    yield "reconcile", "agrees" if itself == [total] else "disagrees"


def in_audits(figure: str, model: str, folder: Path) -> Iterator[tuple[str, str]]:
    """A claim about somebody's model."""
    (folder / "mine.claims.toml").write_text(f'source = "me"\n[[claims]]\nstated = "{figure}"\n')
    found = answer("audit", model, "--claims", str(folder / "mine.claims.toml"))
    (claim,) = found["claims"]
    yield "audit, the claim", claim["verdict"]
    yield "audit", found["verdict"]
    printed = invoke("audit", model, "--claims", str(folder / "mine.claims.toml"), "--format", "markdown").stdout
    yield "audit, the table", row(list(rows_of(printed)), stated=separated(figure))["verdict"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    assert invoke("report", "--output", str(folder)).returncode == 0
    return folder


def in_the_report(folder: Path, figure: str, about: str, claim: str) -> Iterator[tuple[str, str]]:
    contents = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    counted = next(each for each in contents["comparison"]["variants"] if each["variant"] == about)
    yield "report, audit.json, the comparison", counted["verdict"]
    judged = next(each for each in contents["claims"]["claims"] if each["id"] == claim)
    yield "report, audit.json, the claims", judged["verdict"]
    rows = list(rows_of((folder / "audit.md").read_text(encoding="utf-8")))
    yield "report, claims", row([each for each in rows if "place" in each], id=claim)["verdict"]
    yield "report, networks", row([each for each in rows if "witnesses" in each], network=about)["verdict"]
    interval = next(each for each in rows if "stated for" in each and each["figure"] == separated(figure))
    yield "report, intervals", "agrees" if f"{about} (" in interval["agrees with"] else "disagrees"
    if claim.startswith("paper"):
        of_the_paper = [each for each in rows if each.keys() == {"figure", "exact", "verdict", "network", "because"}]
        yield "report, the paper's figures", row(of_the_paper, figure=separated(figure), network=about)["verdict"]


@pytest.mark.parametrize(("figure", "about", "total", "claim"), FIGURES)
def test_a_figure_that_agrees_does_so_everywhere(
    figure: str, about: str, total: int, claim: str, tmp_path: Path, report: Path
) -> None:
    (tmp_path / "net.py").write_text(
        f"import capsaudit\n\n\ndef make():\n    return capsaudit.build({about!r}, device='meta')\n"
    )
    shown: Shown = dict(in_counts(figure, about, about))
    listed = answer("variants")["variants"]
    shown["variants"] = next(each["verdict"] for each in listed if each["id"] == about)
    shown |= in_claims(claim, table_rows("claims"), answer("claims"))
    shown |= in_a_search(figure, about, total)
    shown |= in_audits(figure, f"{tmp_path / 'net.py'}:make", tmp_path)
    shown |= in_the_report(report, figure, about, claim)
    joint = {each["claim"]: each["verdict"] for each in answer("reconcile", "--joint")["figures"]}
    if claim.startswith("paper"):  # the article's figure is not among those that must be true together
        shown["reconcile --joint"] = joint[claim]
        figures = [each for each in table_rows("reconcile", "--joint") if "verdict" in each]
        shown["reconcile --joint, the table"] = row(figures, claim=claim)["verdict"]
    assert shown == dict.fromkeys(shown, "agrees")
    assert len(shown) >= 20
    api.assert_counts(capsaudit.build(about, device="meta"), {"total": figure})


def test_8_2_million_is_true_of_somebodys_model(tmp_path: Path) -> None:
    """Eight convolutions, 8,215,568 values."""
    shown = dict(in_audits("8.2M", f"{capsnets.__file__}:EightConvolutions", tmp_path))
    assert shown == dict.fromkeys(shown, "agrees")


def test_a_figure_that_agrees_names_what_else_rounds_to_it() -> None:
    """8,215,568 + 0, + 160, + 11,520 and + 23,040 are 8.2M as well, so that it is no proof; nothing else is 8,238,608."""
    also = {claim["id"]: claim["also"] for claim in answer("claims")["claims"]}
    assert also["paper-mnist"] == ["frozen-logits", "released-code", "trainable-logits", "article"]
    assert also["paper-multimnist"] == ["multimnist-released-code"]
    assert also["article-total"] == []


MINE = """
source = "me"
title = "mine"
[[claims]]
id = "mine"
place = "here"
about = "mine.toml"
stated = "8.3M"
joint = true
"""


def test_a_figure_that_disagrees_does_so_everywhere(tmp_path: Path) -> None:
    """8,215,568 is not 8.3M, and no shipped variant is: the nearest are 8,238,608 and 9,327,104."""
    (tmp_path / "mine.toml").write_text(
        'extends = "paper"\nsummary = "mine"\n[stated]\nsource = "me"\ntotal = "8.3M"\n'
    )
    (tmp_path / "claims.toml").write_text(MINE)
    claims, variant = str(tmp_path / "claims.toml"), str(tmp_path / "mine.toml")
    shown: Shown = dict(in_counts("8.3M", variant, "mine"))
    shown |= in_claims("mine", table_rows("claims", claims), answer("claims", claims))
    shown |= in_a_search("8.3M", variant, 8_215_568)
    shown |= in_audits("8.3M", f"{capsnets.__file__}:EightConvolutions", tmp_path)
    (joint,) = api.reconcile_jointly(claims).figures
    shown["reconcile --joint"] = joint.verdict
    assert shown == dict.fromkeys(shown, "disagrees")
    assert len(shown) >= 14
    with pytest.raises(AssertionError, match=r"stated 8\.3M"):
        api.assert_counts(capsnets.EightConvolutions(), {"total": "8.3M"})


def test_a_figure_that_is_only_cut_is_approximate_everywhere(tmp_path: Path) -> None:
    """8,215,568 is 8.21M when its tail is cut off; every gate fails on it."""
    (tmp_path / "mine.toml").write_text(
        'extends = "paper"\nsummary = "mine"\n[stated]\nsource = "me"\ntotal = "8.21M"\n'
    )
    (tmp_path / "claims.toml").write_text(MINE.replace("8.3M", "8.21M"))
    claims, variant = str(tmp_path / "claims.toml"), str(tmp_path / "mine.toml")
    counted, judged = answer("count", variant), answer("claims", claims)
    audited = dict(in_audits("8.21M", f"{capsnets.__file__}:EightConvolutions", tmp_path))
    (joint,) = api.reconcile_jointly(claims).figures
    verdicts = [counted["verdict"], judged["claims"][0]["verdict"], audited["audit, the claim"], joint.verdict]
    assert verdicts == ["approximate"] * 4
    for gate in (["count", variant], ["check", variant], ["claims", claims]):
        assert invoke(*gate).returncode == 1
    for because in (counted["because"], judged["claims"][0]["because"]):
        assert "agrees with 8.21M only when cut instead of rounded" in because
