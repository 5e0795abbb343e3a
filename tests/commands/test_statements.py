"""Statements: each kind of check, where it agrees and where it does not."""

from pathlib import Path

import pytest

from capsaudit.catalogue import load_all
from capsaudit.catalogue.claims import ClaimsSource, claims_of, load_claims
from capsaudit.commands.statements import Context, judge_statement
from capsaudit.errors import CapsauditError
from capsaudit.render.reasons import sentence

ROWS = """
source = "me"
title = "mine"
[[claims]]
id = "mine-total"
place = "here"
about = "paper"
stated = "8.2M"
[[claims]]
id = "mine-fc1"
place = "there"
about = "paper"
layer = "fc1"
stated = "82432"
input = "16×10"
output = "512"
[[claims]]
id = "mine"
place = "everywhere"
about = "paper"
statement = "a statement"
check = {check}
"""


def judged(folder: Path, check: str, *, torch: bool = True) -> tuple[str, str]:
    """The verdict on a statement of a source of one's own, and why."""
    path = folder / "mine.toml"
    path.write_text(ROWS.replace("{check}", check))
    source: ClaimsSource = load_claims(path)
    claim = source.claims[-1]
    assert claim.check is not None
    context = Context(sources=(source, *claims_of(())), catalogue=load_all(), torch=torch)
    verdict, reason = judge_statement(claim, claim.check, source, context)
    return verdict, sentence(reason)


@pytest.mark.parametrize(
    ("check", "verdict", "why"),
    [
        pytest.param(
            '{ kind = "knobs", knobs = { "digit_caps.bias" = true }, against = "mine-total" }',
            "agrees",
            "if so, paper has 8,215,728 parameters, and mine-total states 8.2M",
            id="8,215,568 + 160 is 8.2M as well",
        ),
        pytest.param(
            '{ kind = "knobs", knobs = { "decoder.input" = "selected" }, against = "mine-total" }',
            "contradicted",
            "if so, paper would have 8,141,840 parameters, which rounds to 8.1M, but the me states 8.2M (here)",
            id="8,215,568 − 144·512, in the same source",
        ),
        pytest.param(
            '{ kind = "knobs", knobs = { "decoder.input" = "selected" }, against = "paper-mnist" }',
            "disagrees",
            "if so, paper would have 8,141,840 parameters, which rounds to 8.1M, but the paper states 8.2M",
            id="in another source",
        ),
        pytest.param(
            '{ kind = "knobs", knobs = { "decoder.input" = "selected" }, against = "mine-fc1" }',
            "contradicted",
            "if so, fc1 of paper would have 8,704 parameters, but the me states 82,432 (there)",
            id="17·512, one layer",
        ),
        pytest.param(
            '{ kind = "layers", layers = { fc1 = "fully connected" } }',
            "agrees",
            "the source's own rows count these layers like this",
            id="161·512 = 82,432",
        ),
        pytest.param(
            '{ kind = "layers", layers = { fc1 = "convolution" } }',
            "contradicted",
            "the source's own rows count fc1 as (160 + 1)·512 = 82,432, as in a fully connected layer",
            id="no convolution",
        ),
        pytest.param(
            '{ kind = "layers", layers = { fc2 = "convolution" } }',
            "not checkable",
            "the source has no row for fc2 with its input, output and count",
            id="no row",
        ),
        pytest.param(
            '{ kind = "loss", loss = "margin", m_plus = 0.9, m_minus = 0.1, weight = 0.5 }',
            "agrees",
            "on 4 test cases it has the value of the loss that the networks are trained with",
            id="a loss",
        ),
        pytest.param(
            '{ kind = "no source", source = "diary" }',
            "agrees",
            "no value of any shipped variant comes from the diary",
            id="no such source",
        ),
    ],
)
def test_kinds_of_checks(tmp_path: Path, check: str, verdict: str, why: str) -> None:
    found, reason = judged(tmp_path, check)
    assert found == verdict
    assert reason.startswith(why)


def test_a_source_that_values_come_from(tmp_path: Path) -> None:
    verdict, why = judged(tmp_path, '{ kind = "no source", source = "released code" }')
    assert verdict == "disagrees"
    assert "such as digit_caps.bias of released-code (released code," in why


def test_a_loss_needs_torch(tmp_path: Path) -> None:
    check = '{ kind = "loss", loss = "reconstruction", form = "Euclidean distance", scale = 1.0 }'
    assert judged(tmp_path, check)[0] == "disagrees"
    verdict, why = judged(tmp_path, check, torch=False)
    assert (verdict, why) == (
        "not checkable",
        "judging a loss needs the torch witness, which was not selected",
    )


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ('{ kind = "knobs", knobs = { "conv1.kernel" = 5 }, against = "mine" }', "is not a claim with a figure"),
        (
            '{ kind = "knobs", knobs = { "conv1.kernal" = 5 }, against = "mine-total" }',
            "there is no knob 'conv1.kernal'; did you mean 'conv1.kernel'?",
        ),
        ('{ kind = "knobs", knobs = { "conv1.kernel" = 99 }, against = "mine-total" }', "conv1.kernel"),
    ],
)
def test_a_check_that_names_what_is_not_there(tmp_path: Path, check: str, message: str) -> None:
    with pytest.raises(CapsauditError, match="mine: check") as error:
        judged(tmp_path, check)
    assert message in str(error.value)
