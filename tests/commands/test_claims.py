"""claims: verdicts are computed. Each shipped one is as facts have it, and each changes when the claim does."""

import csv
import io
import json
import re
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
from capsaudit.spec import Value
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
    # 8,238,608 is 8.2 million as well as those of paper-mnist
    "article-around-8-million": ("paper", "frozen-logits", "released-code", "trainable-logits"),
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
    by_id = {claim.id: claim for claim in original.claims}
    for each, of_one in changes.items():
        if "stated" in of_one:
            of_one["figure"] = parse_figure(of_one["stated"], rounding=by_id[each].rounding, digits=by_id[each].digits)
    needed = [
        c for c in original.claims if c.check is None or c.id == name
    ]  # figures and shapes, which others refer to
    kept = tuple(msgspec.structs.replace(c, **changes.get(c.id, {})) for c in needed)
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


CHANGES: list[tuple[str, str, dict[str, Any], str]] = [
    ("article", "article-open-questions", {"used": False}, "disagrees"),
    ("article", "article-no-public-code", {"source": "a diary"}, "agrees"),
    ("article", "article-no-public-code", {"appeared": None}, "disagrees"),
    ("article", "article-encoder-and-decoder", {"values": {"encoder": ["conv1", "primary_caps"]}}, "contradicted"),
    ("article", "article-layer-kinds", {"layers": {"fc2": "convolution"}}, "contradicted"),
    ("article", "article-layer-kinds", {"layers": {"primary_caps": "fully connected"}}, "contradicted"),
    ("article", "article-convolutional-decoder", {"layers": {"fc1": "fully connected"}}, "agrees"),
    ("article", "article-convolutional-decoder", {"layers": {"fc3": "convolution"}}, "contradicted"),
    ("article", "article-convolutional-decoder", {"layers": {"fc9": "convolution"}}, "not checkable"),
    ("article", "article-32-primary-capsules", {"values": {"primary_caps capsules": 1152}}, "agrees"),
    ("article", "article-own-matrices", {"values": {"digit_caps.shared_w": "grid"}}, "contradicted"),
    ("article", "article-trainable-coefficients", {"knobs": {"digit_caps.bias": True}}, "agrees"),
    ("article", "article-trainable-coefficients", {"against": "article-total"}, "agrees"),
    (
        "article",
        "article-digit-1",
        {"values": {"place of the capsule for digit 1, where labels start with 0": 2}},
        "agrees",
    ),
    ("article", "article-margin-loss", {"m_plus": 0.8}, "contradicted"),
    ("article", "article-margin-loss", {"m_minus": 0.2}, "contradicted"),
    ("article", "article-margin-loss", {"weight": 1.0}, "contradicted"),
    ("article", "article-vector-from-margin", {"form": None}, "agrees"),
    ("article", "article-lambda", {"purpose": "less shrinking of all capsules"}, "agrees"),
    ("article", "article-squares", {"of": "λ"}, "contradicted"),
    ("article", "article-decoder-input", {"knobs": {"decoder.input": "masked"}}, "agrees"),
    ("article", "article-euclidean-distance", {"form": "scaled sum of squares", "scale": 0.0005}, "agrees"),
    ("efficient-capsnet", "efficient-capsnet-reconstruction-loss", {"scale": 0.392}, "contradicted"),
    ("paper", "paper-reconstruction-loss", {"scale": 0.392}, "contradicted"),
    ("paper", "paper-margin-loss", {"m_plus": 0.8}, "contradicted"),
    ("paper", "paper-down-weighting", {"purpose": "numerical stability"}, "contradicted"),
]
"""Checks of statements, changed, with the verdict that they then have."""


@pytest.mark.parametrize(("source", "name", "change", "verdict"), CHANGES)
def test_statements_are_judged_by_checks_that_can_fail(
    source: str, name: str, change: dict[str, Any], verdict: str
) -> None:
    assert with_check(source, name, change).verdict == verdict


def with_check(source: str, name: str, change: dict[str, Any]) -> JudgedClaim:
    check = next(c.check for c in load_claims(source).claims if c.id == name)
    assert check is not None
    return alone(source, name, check=msgspec.structs.replace(check, **change))


VALUES = [
    (s.name, c.id, value)
    for s in claims_of(())
    for c in s.claims
    if c.check is not None and c.check.kind in ("values", "behaviour") and c.id not in CLAIM_VERDICTS
    for value in c.check.values
]


@pytest.mark.parametrize(("source", "name", "value"), VALUES)
def test_a_statement_with_another_value_does_not_agree(source: str, name: str, value: str) -> None:
    check = next(c.check for c in load_claims(source).claims if c.id == name)
    assert check is not None
    changed_values = check.values | {value: another(check.values[value])}
    verdict = "contradicted" if check.kind == "values" else "disagrees"
    assert with_check(source, name, {"values": changed_values}).verdict == verdict


def another(stated: Value) -> Value:
    """A value of the same type that is not this one."""
    match stated:
        case bool():
            return not stated
        case int():
            return stated + 1
        case list():
            return stated[1:]
        case _:
            return f"1{stated}"


FORMULAS = [(s.name, c.id) for s in claims_of(()) for c in s.claims if c.check and c.check.kind == "arithmetic"]


@pytest.mark.parametrize(("source", "name"), FORMULAS)
def test_a_formula_with_any_other_number_does_not_agree(source: str, name: str) -> None:
    check = next(c.check for c in load_claims(source).claims if c.id == name)
    assert check is not None
    formula, result = check.formula or "", check.result or 0
    changes: list[dict[str, Any]] = [{"result": result + 1}, {"times": check.times + 1}]
    changes += [
        {"formula": f"{formula[: number.start()]}{int(number[0]) + 1}{formula[number.end() :]}"}
        for number in re.finditer("[0-9]+", formula)
    ]
    assert {with_check(source, name, change).verdict for change in changes} == {"contradicted"}
    assert len(changes) >= 4


def test_every_statement_and_every_figure_is_changed_by_a_test() -> None:
    """A claim that no test changes could have its verdict typed in."""
    tested = {name for _, name, *_ in [*CHANGES, *VALUES, *FORMULAS, *FIGURES, *SHAPES]}
    rounded = {c.id for s in claims_of(()) for c in s.claims if c.figure is not None}
    assert {c.id for s in claims_of(()) for c in s.claims} == tested | rounded


ROUNDED = [(s.name, c.id) for s in claims_of(()) for c in s.claims if c.figure and not (c.stated or "").isdecimal()]


@pytest.mark.parametrize(("source", "name"), ROUNDED)
def test_a_rounded_figure_off_by_one_in_its_last_digit_has_another_verdict(source: str, name: str) -> None:
    """The last digit of 8.2M one larger is 8.3M. A figure of another network is no longer that of the same one."""
    claim = next(c for c in load_claims(source).claims if c.id == name)
    (match,) = re.finditer("[0-9]+(?=[^0-9]*$)", claim.stated or "")
    larger = f"{int(match[0]) + 1:0{len(match[0])}}"
    found = alone(
        source, name, stated=f"{(claim.stated or '')[: match.start()]}{larger}{(claim.stated or '')[match.end() :]}"
    )
    before = alone(source, name)
    assert (found.verdict, found.true_of) != (before.verdict, before.true_of)
    assert found.verdict != "agrees"


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


def test_count_input_and_output_of_each_layer_are_claims_of_their_own() -> None:
    """Six rows of three, and the image that the last output is reshaped to."""
    article = load_claims("article").claims
    rows = [claim for claim in article if claim.layer is not None and claim.id != "article-image-again"]
    parts = [[claim.figure, claim.input, claim.output] for claim in rows]
    assert len(rows) == 6 * 3
    assert all(sum(part is not None for part in each) == 1 for each in parts)


def test_a_wrong_shape_does_not_change_the_verdict_on_the_count() -> None:
    wrong = {"article-conv1-output": {"output": "19×19×256"}}
    assert changed("article", wrong, "article-conv1-output").verdict == "disagrees"
    assert changed("article", wrong, "article-conv1").verdict == "agrees"
    assert changed("article", wrong, "article-conv1-input").verdict == "agrees"


def test_the_reason_comes_before_the_figure_that_shows_it(judged: Claims) -> None:
    text = because(named(judged, "article-trainable-coefficients").reasons)
    places = [text.index(part) for part in ("b start at zero", "c are a softmax of b", "11,425,808")]
    assert places == sorted(places)
    assert because(named(judged, "article-official-figure").reasons).startswith(
        "11.36M is true of multimnist (11,361,808"
    )
    assert because(named(judged, "article-lambda").reasons).startswith("the paper says (section 3)")
    assert because(named(judged, "article-euclidean-distance").reasons).startswith("the paper says (section 4.1)")


def test_around_8_2_million_is_no_contradiction_to_the_rows(judged: Claims) -> None:
    """The rows add up to 8,238,608, which rounds to 8.2 million; 8.3 million would contradict them."""
    assert named(judged, "article-around-8-million").exact == 8_238_608
    assert alone("article", "article-around-8-million", stated="8.3 million").verdict == "contradicted"


def test_every_claim_has_a_place_and_a_grade_of_evidence(judged: Claims) -> None:
    assert all(claim.place and claim.grade for claim in judged.claims)
    grades = {claim.id: claim.grade for claim in judged.claims}
    assert {name for name, grade in grades.items() if grade == "recalled"} == {"paper-baseline-multimnist"}
    assert grades["article-total"] == "seen"
    assert "first version" in (named(judged, "paper-multimnist").version or "")


def test_a_claim_about_a_network_with_settings(judged: Claims) -> None:
    """11,749,120 − 82,432 − 525,312 − 3,148,800 = 7,992,576; 11,749,120 + 2048·10 = 11,769,600."""
    encoder, counted = named(judged, "cifar10-encoder-two-decimals"), named(judged, "cifar10-coupling-two-decimals")
    assert (encoder.about, encoder.exact) == ("cifar10-32 with decoder = none", 7_992_576)
    assert counted.exact == 11_769_600


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
