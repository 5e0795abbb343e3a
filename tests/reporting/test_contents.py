"""What the report is made of."""

import json
from pathlib import Path

import pytest

import capsaudit
from capsaudit.catalogue.claims import claims_of
from capsaudit.published import judge, parse_figure
from capsaudit.reporting import contents
from capsaudit.reporting.contents import SEARCHED, ReportContents
from capsaudit.reporting.sections import answer
from tests.expected import TOTALS


def test_everything_that_is_shipped_is_in_it(gathered: ReportContents) -> None:
    assert {counted.variant: counted.trainable for counted in gathered.comparison.variants} == TOTALS
    assert all(len(set(counted.witnesses.values())) == 1 for counted in gathered.comparison.variants)
    assert {claim.source for claim in gathered.claims.claims} == set(gathered.sources) >= {"article", "paper"}
    assert gathered.sources == {source.name: source.title for source in claims_of(())}
    assert [(found.figure, found.start) for found in gathered.reconciliations] == list(SEARCHED)
    assert all(found.complete and found.explanations for found in gathered.reconciliations)
    assert gathered.capsaudit == capsaudit.__version__


def test_the_ledger_leads_from_the_article_to_the_figure_it_is_compared_with(gathered: ReportContents) -> None:
    assert (gathered.ledger.start_total, gathered.ledger.difference) == (8_238_608, 11_361_808 - 8_238_608)
    assert sum(step.difference for step in gathered.ledger.steps) == gathered.ledger.difference


def test_the_answer_is_true(gathered: ReportContents) -> None:
    verdicts = {claim.id: claim for claim in gathered.claims.claims}
    assert verdicts["article-total"].verdict == "agrees"
    assert verdicts["article-official-figure"].verdict == "misattributed"
    assert verdicts["article-official-figure"].true_of == ("multimnist",)
    assert gathered.ledger.steps[-1].knob == "image.size"
    assert judge(parse_figure("8.2M"), 8_238_608) == "agrees"  # so does the article's total
    said = " ".join(answer(gathered))
    for number in (
        "8,238,608",
        "8,215,568",
        "11,361,808",
        "11.36M",
        "8.2M",
        "36×36",
        "28×28",
        "+2,621,440",
        "+524,800",
    ):
        assert number in said
    assert "23,040" in said  # 1152 logits and 1152 coefficients for each of ten classes


def test_chance_has_six_digits(gathered: ReportContents) -> None:
    for group in (group for found in gathered.reconciliations for group in found.by_changes):
        assert group.expected_by_chance == float(f"{group.expected_by_chance:.6g}")


def test_nothing_of_this_machine_is_in_it(files: dict[str, bytes]) -> None:
    here = Path(capsaudit.__file__).parents[1]
    for name, content in files.items():
        for place in (str(here), str(Path.home()) + "/", str(Path.cwd())):
            assert place.encode() not in content, name


def test_the_json_is_what_was_gathered(gathered: ReportContents, files: dict[str, bytes]) -> None:
    data = json.loads(files["audit.json"])
    assert set(data) == {
        *("schema", "capsaudit", "digest", "sources"),
        *("comparison", "ledger", "claims", "joint", "reconciliations"),
    }
    assert {row["variant"]: row["trainable"] for row in data["comparison"]["variants"]} == TOTALS
    assert data["ledger"]["from"] == "article"
    assert data["digest"] == gathered.digest


def test_the_digest_is_that_of_the_data_however_lines_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.toml"

    def digest(content: bytes) -> str:
        path.write_bytes(content)
        return contents.digest()

    monkeypatch.setattr(contents, "shipped", lambda kind: {"a": path} if kind == "spaces" else {})
    assert digest(b"a = 1\nb = 2\n") == digest(b"a = 1\r\nb = 2\r\n")
    assert digest(b"a = 1\nb = 2\n") != digest(b"a = 1\nb = 3\n")
