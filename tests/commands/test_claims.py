"""claims: verdicts are computed. Each shipped one is as facts have it, and each changes when the claim does."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from capsaudit import api
from capsaudit.catalogue import load_all
from capsaudit.catalogue.claims import Claim, ClaimsSource, claims_of, load_claims
from capsaudit.commands.claims import claims
from capsaudit.errors import CapsauditError
from capsaudit.published import parse_figure
from capsaudit.render.reasons import because
from capsaudit.results import Claims, JudgedClaim
from tests.expected import CLAIM_VERDICTS
from tests.processes import invoke, run


@pytest.fixture(scope="module")
def judged() -> Claims:
    return api.claims()


def named(judged: Claims, name: str) -> JudgedClaim:
    return next(claim for claim in judged.claims if claim.id == name)


ALSO = {
    # 8,215,568 + 0, + 160, + 11,520, + 23,040 are all 8.2M
    "paper-mnist": ("frozen-logits", "released-code", "trainable-logits", "article"),
    # 8,215,568 − 1120·1280 = 6,781,968
    "paper-no-reconstruction": ("shared-w-grid",),
    # 11,361,808 + 160
    "paper-multimnist": ("multimnist-released-code",),
}
"""Figures that other interpretations round to, by their totals; no other shipped figure has such."""


def test_verdicts(judged: Claims) -> None:
    assert {claim.id: claim.verdict for claim in judged.claims} == {
        claim.id: CLAIM_VERDICTS.get(claim.id, "agrees") for claim in judged.claims
    }
    assert not judged.agrees


def test_figures_that_other_interpretations_round_to(judged: Claims) -> None:
    assert {claim.id: claim.also for claim in judged.claims if claim.also} == ALSO
    assert {named(judged, name).verdict for name in ALSO} == {"agrees"}


def test_the_articles_official_figure(judged: Claims) -> None:
    claim = named(judged, "article-official-figure")
    assert (claim.stated, claim.about, claim.exact, claim.true_of) == ("11.36M", "paper", 8_215_568, ("multimnist",))
    assert "11,361,808" in because(claim.reasons)
    assert "image.size 28 → 36" in because(claim.reasons)


def test_8_2_million_agrees_with_four_totals(judged: Claims) -> None:
    """8,215,568; + 160; + 11,520; + 23,040."""
    text = because(named(judged, "paper-mnist").reasons)
    for total in ("8,215,568", "8,215,728", "8,227,088", "8,238,608"):
        assert total in text
    assert text.endswith("also round to 8.2M")


def test_coefficients_are_judged_by_the_papers_figure(judged: Claims) -> None:
    """11,361,808 + 2·32,000 = 11,425,808."""
    text = because(named(judged, "article-trainable-coefficients").reasons)
    assert "would have 11,425,808 parameters, which rounds to 11.43M, but the paper states 11.36M" in text


def alone(source: str, name: str, **changes: Any) -> JudgedClaim:
    """A shipped claim, changed, judged beside all others of its source."""
    return changed(source, {name: changes}, name)


def changed(source: str, changes: dict[str, dict[str, Any]], name: str) -> JudgedClaim:
    """A shipped claim, judged where these claims of its source are changed."""
    original = load_claims(source)
    for of_one in changes.values():
        if "stated" in of_one:
            of_one["figure"] = parse_figure(of_one["stated"])
    kept = tuple(msgspec.structs.replace(c, **changes.get(c.id, {})) for c in original.claims)
    changed = msgspec.structs.replace(original, claims=kept)
    found = claims([changed], load_all(), [s for s in claims_of(()) if s.name != source])
    return next(claim for claim in found.claims if claim.id == name)


FIGURES = [(s.name, c.id) for s in claims_of(()) for c in s.claims if c.stated and c.stated.isdecimal()]


@pytest.mark.parametrize(("source", "name"), FIGURES)
@pytest.mark.parametrize("by", [-1, 1])
def test_an_exact_figure_off_by_one_does_not_agree(source: str, name: str, by: int) -> None:
    stated = next(c.stated for c in load_claims(source).claims if c.id == name)
    assert alone(source, name, stated=str(int(stated or "") + by)).verdict in ("disagrees", "contradicted")


SHAPES = [
    (s.name, c.id, field)
    for s in claims_of(())
    for c in s.claims
    for field in ("input", "output", "shape")
    if getattr(c, field)
]


@pytest.mark.parametrize(("source", "name", "field"), SHAPES)
def test_another_shape_does_not_agree(source: str, name: str, field: str) -> None:
    stated = next(getattr(c, field) for c in load_claims(source).claims if c.id == name)
    first, *rest = stated.split("×")
    assert alone(source, name, **{field: "×".join([str(int(first) + 1), *rest])}).verdict == "disagrees"


@pytest.mark.parametrize(
    ("source", "name", "change", "verdict"),
    [
        ("article", "article-convolutional-decoder", {"layers": {"fc1": "fully connected"}}, "agrees"),
        ("article", "article-convolutional-decoder", {"layers": {"fc3": "convolution"}}, "contradicted"),
        ("article", "article-convolutional-decoder", {"layers": {"fc9": "convolution"}}, "not checkable"),
        ("article", "article-decoder-input", {"knobs": {"decoder.input": "masked"}}, "agrees"),
        ("article", "article-trainable-coefficients", {"knobs": {"digit_caps.bias": True}}, "agrees"),
        ("article", "article-trainable-coefficients", {"against": "article-total"}, "agrees"),
        ("article", "article-euclidean-distance", {"form": "scaled sum of squares", "scale": 0.0005}, "agrees"),
        ("article", "article-margin-loss", {"m_plus": 0.8}, "disagrees"),
        ("article", "article-margin-loss", {"m_minus": 0.2}, "disagrees"),
        ("article", "article-margin-loss", {"weight": 1.0}, "disagrees"),
        ("article", "article-no-public-code", {"source": "a diary"}, "agrees"),
        ("paper", "paper-reconstruction-loss", {"scale": 0.392}, "disagrees"),
    ],
)
def test_statements_are_judged_by_checks_that_can_fail(
    source: str, name: str, change: dict[str, Any], verdict: str
) -> None:
    check = next(c.check for c in load_claims(source).claims if c.id == name)
    assert check is not None
    assert alone(source, name, check=msgspec.structs.replace(check, **change)).verdict == verdict


def test_a_total_that_is_not_the_sum_of_the_sources_rows() -> None:
    found = alone("article", "article-total", stated="8238600")
    assert found.verdict == "contradicted"
    assert "8,238,608" in because(found.reasons)


def test_rounded_rows_contradict_no_total() -> None:
    """With 1.5M instead of 1,497,600 the rows would add up to 8,241,008, but they are not exact."""
    rounded = {"article-digit-caps": {"stated": "1.5M"}}
    assert changed("article", rounded, "article-digit-caps").verdict == "agrees"
    assert changed("article", rounded, "article-total").verdict == "agrees"


def test_a_figure_that_nothing_rounds_to() -> None:
    assert alone("paper", "paper-baseline-mnist", stated="99.9M").verdict == "disagrees"


def test_only_when_cut() -> None:
    """8,215,568 is 8.21M only when its tail is cut off."""
    found = alone("paper", "paper-mnist", stated="8.21M")
    assert found.verdict == "approximate"
    assert "only when cut" in because(found.reasons)


def test_checks_that_name_what_is_not_there() -> None:
    for change in ({"against": "nothing"}, {"knobs": {"digit_caps.lojits": 1}}, {"knobs": {"conv1.kernel": 99}}):
        check = next(c.check for c in load_claims("article").claims if c.id == "article-decoder-input")
        assert check is not None
        with pytest.raises(CapsauditError, match="article-decoder-input: check"):
            alone("article", "article-decoder-input", check=msgspec.structs.replace(check, **change))


def test_without_torch_losses_are_not_judged() -> None:
    found = api.claims("paper", witnesses=["formula"])
    assert named(found, "paper-margin-loss").verdict == "not checkable"
    assert "needs the torch witness" in because(named(found, "paper-margin-loss").reasons)


def test_every_statement_of_the_article_has_a_claim() -> None:
    """Its six rows, its total, and its seven statements."""
    article = load_claims("article").claims
    assert sum(claim.layer is not None for claim in article) == 6
    assert sum(claim.layer is None and claim.stated is not None for claim in article) == 2
    assert sum(claim.statement is not None for claim in article) == 6


def test_the_source_of_a_claim_is_that_of_its_file() -> None:
    source: ClaimsSource = load_claims("paper")
    assert {claim.source for claim in source.claims} == {"paper"}
    assert all(isinstance(claim, Claim) for claim in source.claims)


def test_json_has_the_keys_of_the_contract() -> None:
    found = json.loads(run("claims", "article", "--witness", "formula", "--format", "json").stdout)
    claim = next(claim for claim in found["claims"] if claim["id"] == "article-official-figure")
    keys = ("source", "stated", "about", "verdict", "exact", "true_of")
    assert [claim[key] for key in keys] == ["article", "11.36M", "paper", "misattributed", 8_215_568, ["multimnist"]]
    assert claim["because"]


def test_csv_has_one_value_a_column() -> None:
    printed = invoke("claims", "paper", "--witness", "formula", "--format", "csv").stdout
    first = next(csv.DictReader(io.StringIO(printed)))
    assert first["exact"] == "8215568"
    assert first["also"].split() == list(ALSO["paper-mnist"])


def test_markdown() -> None:
    printed = invoke("claims", "--witness", "formula", "--format", "markdown").stdout
    assert printed.startswith("### ")
    assert "| --- |" in printed or "| ---: |" in printed


def test_claims_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'source = "me"\ntitle = "mine"\n[[claims]]\nid = "one"\nplace = "here"\nabout = "paper"\nstated = "8.23M"\n'
    )
    done = invoke("claims", "mine.toml", "--witness", "formula", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    found = json.loads(done.stdout)["claims"]
    assert [(claim["verdict"], claim["true_of"]) for claim in found] == [("misattributed", ["trainable-logits"])]
