"""explain: the ledger adds up."""

import json
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsaudit import api
from capsaudit.catalogue import Variant, load_variant, shipped
from capsaudit.errors import CapsauditError
from capsaudit.families import impossible, total
from capsaudit.spec import Spec
from tests.expected import TOTALS
from tests.processes import invoke, run
from tests.strategies import baselines, capsnets


def test_from_the_article_to_11_36_million() -> None:
    ledger = api.explain("article", "multimnist")
    assert [(step.knob, step.before, step.after, step.difference, step.total) for step in ledger.steps] == [
        ("digit_caps.logits", "trainable", "zero", -1152 * 10, 8_227_088),
        ("digit_caps.coupling", "trainable", "computed", -1152 * 10, 8_215_568),
        # 3200 − 1152 = 2048 more capsules of 1280 weights; 1296 − 784 = 512 more pixels of 1025
        ("image.size", 28, 36, 2048 * 1280 + 512 * 1025, 11_361_808),
    ]
    assert {part.layer: part.difference for part in ledger.steps[-1].layers} == {
        "digit_caps": 2_621_440,
        "fc3": 524_800,
    }
    assert ledger.difference == 11_361_808 - 8_238_608


def test_a_knob_that_meets_an_earlier_one_says_what_it_makes_alone() -> None:
    """At the article's own size 2048 more capsules bring 2·10 trainable values each, too."""
    size = api.explain("article", "multimnist").steps[-1]
    assert size.alone == 2048 * (1280 + 20) + 512 * 1025
    assert size.alone != size.difference


@pytest.mark.parametrize(("start", "end"), list(permutations(sorted(shipped()), 2)))
def test_steps_add_up_between_any_two_variants(start: str, end: str) -> None:
    ledger = api.explain(start, end)
    running = TOTALS[start]
    for step in ledger.steps:
        running += step.difference
        assert step.total == running
        assert step.difference == sum(part.difference for part in step.layers)
    assert running == TOTALS[end]
    assert ledger.difference == TOTALS[end] - TOTALS[start]


def any_two(specs: st.SearchStrategy[Spec]) -> st.SearchStrategy[tuple[Spec, Spec]]:
    possible = specs.filter(lambda spec: impossible(spec) is None)
    return st.tuples(possible, possible)


@settings(max_examples=200, deadline=None)
@given(any_two(capsnets()) | any_two(baselines()))
def test_steps_add_up_between_any_two_networks(pair: tuple[Spec, Spec]) -> None:
    start, end = (
        Variant(id=n, summary="", parent=None, depth=0, spec=s, sources={}) for n, s in zip("ab", pair, strict=True)
    )
    try:
        ledger = api.explain(start, end)
    except CapsauditError as error:
        assert "keeps the network possible" in str(error)
        return
    assert sum(step.difference for step in ledger.steps) == ledger.difference
    assert ledger.difference == total(end.spec) - total(start.spec)


def test_an_impossible_network_on_the_way_is_gone_around() -> None:
    """A first kernel of 29 does not fit 28×28: the image has to grow first, though it comes last in the order."""
    large = load_variant("paper", settings=["conv1.kernel=29", "image.size=60"])
    assert [step.knob for step in api.explain("paper", large).steps] == ["image.size", "conv1.kernel"]


def test_a_network_and_itself() -> None:
    ledger = api.explain("paper", "paper")
    assert ledger.steps == ()
    assert ledger.difference == 0


def test_a_decoder_that_only_one_has_is_one_knob() -> None:
    (step,) = api.explain("paper", "paper-no-decoder").steps
    assert (step.knob, step.after, step.difference) == ("decoder", "none", -(82_432 + 525_312 + 803_600))


def test_the_other_family_is_one_knob() -> None:
    steps = api.explain("paper", "baseline-multimnist").steps
    assert [step.knob for step in steps] == ["image.size", "family"]


def test_json_has_the_keys_of_the_contract() -> None:
    ledger = json.loads(run("explain", "article", "multimnist", "--format", "json").stdout)
    assert (ledger["from"], ledger["to"], ledger["difference"]) == ("article", "multimnist", 11_361_808 - 8_238_608)
    assert set(ledger["steps"][0]) >= {"knob", "from", "to", "difference", "total"}


def test_the_waterfall_stands_on_its_numbers() -> None:
    printed = invoke("explain", "article", "multimnist").stdout
    up = next(line for line in printed.splitlines() if "█" in line)
    down = [line for line in printed.splitlines() if "▒" in line]
    assert "+3,146,240" in up
    assert len(down) == 2
    assert all("−11,520" in line for line in down)
