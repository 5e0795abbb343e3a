"""Statements: each kind of check, where it agrees and where it does not."""

from pathlib import Path

import pytest

from capsaudit.catalogue import load_all
from capsaudit.catalogue.claims import ClaimsSource, claims_of, load_claims
from capsaudit.commands.statements import Context, judge_statement
from capsaudit.errors import CapsauditError
from capsaudit.render.reasons import because

MASKED = "paper, section 4.1: all but the activity vector of the correct capsule are masked out"
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
id = "mine-conv1"
place = "there"
about = "paper"
layer = "conv1"
stated = "20992"
input = "28×28"
output = "20×20×256"
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
    verdict, reasons = judge_statement(claim, claim.check, source, context)
    return verdict, because(reasons)


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
            f"{MASKED}; if so, paper would have 8,141,840 parameters, which rounds to 8.1M, but the me states 8.2M (here)",
            id="8,215,568 − 144·512, in the same source",
        ),
        pytest.param(
            '{ kind = "knobs", knobs = { "decoder.input" = "selected" }, against = "paper-mnist" }',
            "contradicted",
            f"{MASKED}; if so, paper would have 8,141,840 parameters, which rounds to 8.1M, but the paper states 8.2M",
            id="in the paper",
        ),
        pytest.param(
            '{ kind = "knobs", knobs = { "decoder" = "none" }, against = "article-total" }',
            "disagrees",
            "paper, section 4.1 and figure 2: 512, 1024, one output a pixel; if so, article would have 6,827,264 parameters",
            id="8,238,608 − 1,411,344, in another source",
        ),
        pytest.param(
            '{ kind = "knobs", knobs = { "decoder.input" = "selected" }, against = "mine-fc1" }',
            "contradicted",
            f"{MASKED}; if so, fc1 of paper would have 8,704 parameters, but the me states 82,432 (there)",
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
            '{ kind = "layers", layers = { conv1 = "fully connected" } }',
            "contradicted",
            "the source's own rows do not count conv1 as (inputs + 1)·outputs",
            id="784·102,400 is no 20,992",
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
            '{ kind = "loss", loss = "margin", form = "vector", m_plus = 0.9, m_minus = 0.1, weight = 0.5 }',
            "contradicted",
            "the paper says (section 3, equation 4): margin loss of the lengths of the class capsules",
            id="the vector instead of its length",
        ),
        pytest.param(
            '{ kind = "values", values = { "conv1.kernel" = 9, "primary_caps output" = "8×1152", "conv1.bias" = true } }',
            "agrees",
            "the network has conv1.kernel: 9; primary_caps output: 8×1152; conv1.bias: yes (paper, section 4: 256 kernels",
            id="knobs and shapes",
        ),
        pytest.param(
            '{ kind = "values", values = { "primary_caps output" = "16×1152" } }',
            "contradicted",
            "primary_caps output: 1152×8, not 16×1152",
            id="another shape",
        ),
        pytest.param(
            '{ kind = "values", values = { "primary_caps capsules" = 32 } }',
            "contradicted",
            "primary_caps capsules: 1,152, not 32; 32 is primary_caps.types",
            id="6·6·32 capsules of 32 types",
        ),
        pytest.param(
            '{ kind = "values", values = { "conv1.bias" = 1 } }',
            "contradicted",
            "conv1.bias: yes, not 1",
            id="1 is not yes",
        ),
        pytest.param(
            '{ kind = "behaviour", values = { "activation of conv1" = "tanh" } }',
            "disagrees",
            "activation of conv1: ReLU, not tanh",
            id="another activation",
        ),
        pytest.param(
            '{ kind = "arithmetic", formula = "(16·10 + 1)·512", result = 82432, of = "fc1 parameters" }',
            "agrees",
            "(16·10 + 1)·512 = 82,432, which is the network's fc1 parameters",
            id="a formula",
        ),
        pytest.param(
            '{ kind = "arithmetic", formula = "1152·8·16", result = 147456, times = 10, of = "digit_caps parameters" }',
            "agrees",
            "1152·8·16 = 147,456; 147,456·10 = 1,474,560, which is the network's digit_caps parameters",
            id="ten times a share",
        ),
        pytest.param(
            '{ kind = "arithmetic", formula = "1152·8·16", result = 147456, times = 9, of = "digit_caps parameters" }',
            "contradicted",
            "1152·8·16 = 147,456; 147,456·9 = 1,327,104, but the network's value is digit_caps parameters 1,474,560",
            id="nine times",
        ),
        pytest.param(
            '{ kind = "arithmetic", formula = "9·9 + 1", result = 81, of = "fc1 parameters" }',
            "contradicted",
            "9·9 + 1 = 82, not 81",
            id="a wrong result",
        ),
        pytest.param(
            '{ kind = "purpose", of = "λ", purpose = "numerical stability" }',
            "contradicted",
            "the paper says (section 3): λ weighs the loss of absent classes down",
            id="a purpose that the paper does not give",
        ),
        pytest.param(
            '{ kind = "purpose", of = "λ", purpose = "less shrinking of all capsules" }',
            "agrees",
            # 0.5·9·2·(0.5 − 0.1) = 3.6
            "where all ten capsules are 0.5 long, the nine absent ones are shortened by gradients that add up to 3.6, without λ to 7.2",
            id="the paper's purpose",
        ),
        pytest.param(
            '{ kind = "purpose", of = "λ", purpose = "a faster start" }',
            "contradicted",
            "the paper says (section 3): λ weighs",
            id="no experiment, but the paper gives another one",
        ),
        pytest.param(
            '{ kind = "purpose", of = "the squares", purpose = "a faster start" }',
            "not checkable",
            "the paper gives no reason for the squares",
            id="nobody gives a purpose",
        ),
        pytest.param(
            '{ kind = "source", source = "diary", used = false }',
            "agrees",
            "no value of any shipped variant comes from the diary",
            id="no such source",
        ),
        pytest.param(
            '{ kind = "source", source = "diary", used = true }',
            "disagrees",
            "no value of any shipped variant comes from the diary",
            id="a source that nothing comes from",
        ),
        pytest.param(
            '{ kind = "source", source = "the paper is silent", used = true }',
            "agrees",
            "3 values of shipped variants come from it, such as conv1.bias of paper (the paper is silent;",
            id="questions that are open: two biases and the gradient",
        ),
        pytest.param(
            '{ kind = "source", source = "released code", used = false, appeared = "later" }',
            "outdated",
            "true when it was written: the released code became public later; ",
            id="outdated",
        ),
    ],
)
def test_kinds_of_checks(tmp_path: Path, check: str, verdict: str, why: str) -> None:
    found, reason = judged(tmp_path, check)
    assert found == verdict
    assert reason.startswith(why)


def test_only_a_number_is_said_to_be_another_one_of_the_layer(tmp_path: Path) -> None:
    """The logits of the paper's network are "zero", but that is no reason why somebody says so of W."""
    verdict, why = judged(tmp_path, '{ kind = "values", values = { "digit_caps.shared_w" = "zero" } }')
    assert (verdict, why) == ("contradicted", "digit_caps.shared_w: none, not zero")


def test_a_source_that_values_come_from(tmp_path: Path) -> None:
    verdict, why = judged(tmp_path, '{ kind = "source", source = "released code", used = false }')
    assert verdict == "disagrees"
    assert "such as digit_caps.bias of released-code (released code," in why


def test_a_loss_needs_torch(tmp_path: Path) -> None:
    check = '{ kind = "loss", loss = "reconstruction", form = "Euclidean distance", scale = 1.0 }'
    assert judged(tmp_path, check)[0] == "contradicted"
    missing = "judging a loss or a behaviour needs the torch witness, which was not selected"
    assert judged(tmp_path, check, torch=False) == ("not checkable", missing)
    behaviour = '{ kind = "behaviour", values = { "activation of conv1" = "ReLU" } }'
    assert judged(tmp_path, behaviour, torch=False) == ("not checkable", missing)


def test_what_the_paper_says_of_a_purpose_needs_no_torch(tmp_path: Path) -> None:
    check = '{ kind = "purpose", of = "λ", purpose = "numerical stability" }'
    verdict, why = judged(tmp_path, check, torch=False)
    assert verdict == "contradicted"
    assert "finite" not in why


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ('{ kind = "knobs", knobs = { "conv1.kernel" = 5 }, against = "mine" }', "is not a claim with a figure"),
        (
            '{ kind = "knobs", knobs = { "conv1.kernal" = 5 }, against = "mine-total" }',
            "there is no knob 'conv1.kernal'; did you mean 'conv1.kernel'?",
        ),
        (
            '{ kind = "values", values = { "conv1.kernal" = 5 } }',
            "no value 'conv1.kernal'; did you mean 'conv1.kernel'?",
        ),
        (
            '{ kind = "arithmetic", formula = "1", result = 1, of = "fc1" }',
            "the network has no value 'fc1'; expected one of: conv1 bias, ",
        ),
        ('{ kind = "knobs", knobs = { "conv1.kernel" = 99 }, against = "mine-total" }', "conv1.kernel"),
    ],
)
def test_a_check_that_names_what_is_not_there(tmp_path: Path, check: str, message: str) -> None:
    with pytest.raises(CapsauditError, match="mine: check") as error:
        judged(tmp_path, check)
    assert message in str(error.value)
