"""Figures and their explanations. Every expected total is derived beside it."""

import pytest
from hypothesis import given, settings

from capsaudit.catalogue import Variant, load_all, load_variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space, load_space
from capsaudit.commands.confirm import confirm
from capsaudit.commands.reconcile import reconcile
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of
from capsaudit.interpretations.axes import axes
from capsaudit.interpretations.search import Search
from capsaudit.interpretations.tables import tables
from capsaudit.published import parse_figure
from capsaudit.results import CHANCE_WOULD_DO, MORE_THAN_NEEDED, TELLING, Explanation, Reconciliation
from tests.interpretations.spaces import spaces


def reconciled(figure: str, start: str = "paper", *, torch: bool = True, **options: int) -> Reconciliation:
    variant = load_variant(start)
    asked = {"confirm": confirm} if torch else {}
    return reconcile(
        parse_figure(figure), variant, load_space(family_of(variant.spec).name), load_all(), **asked, **options
    )  # type: ignore[arg-type]


BOTH_TRAINED = {"digit_caps.logits": "trainable", "digit_caps.coupling": "trainable"}


def made(explanation: Explanation) -> dict[str, object]:
    return {change.knob: change.after for change in explanation.changes}


@pytest.mark.parametrize(
    ("figure", "start", "changes", "total", "variant"),
    [
        # 20,992 + 5,308,672 + 3200·1280 + 82,432 + 525,312 + 1025·1296
        pytest.param("11.36M", "paper", {"image.size": 36}, 11_361_808, "multimnist", id="11.36M"),
        # 8,215,568 + 2·11,520
        pytest.param("8238608", "paper", BOTH_TRAINED, 8_238_608, "article", id="the article"),
        pytest.param("8.2M", "paper", {}, 8_215_568, "paper", id="8.2M as it is"),
        # 8,215,568 − 1152·10·8·16
        pytest.param("6741008", "paper", {"counting.bare_parameters": "missed"}, 6_741_008, None, id="torchsummary"),
        pytest.param("35.4M", "baseline-mnist", {}, 35_445_522, "baseline-mnist", id="35.4M as it is"),
        # no padding leaves 28 − 4 − 4 − 4 = 16: 16·16·128 = 32,768 inputs; 6,656 + 1,638,656 + 819,328 + 32,769·328 + 63,168 + 1,930
        pytest.param("13.3M", "baseline-mnist", {"padding": "valid"}, 13_277_970, None, id="no padding"),
        # 40×40: 40 − 8 = 32, ⌊23/2⌋ + 1 = 12, 12·12·32 = 4608 capsules; 1600 pixels: 13,475,648, which is 13.47M only when cut off
        pytest.param("13.47M", "paper", {"image.size": 40, "counting.rounding": "cut"}, 13_475_648, None, id="cut off"),
    ],
)  # fmt: skip
def test_the_first_explanation(
    figure: str, start: str, changes: dict[str, object], total: int, variant: str | None
) -> None:
    found = reconciled(figure, start)
    first = found.explanations[0]
    assert (made(first), first.total, first.variant, first.confirmed) == (changes, total, variant, True)
    assert found.complete
    assert found.found == sum(group.found for group in found.by_changes)


def test_two_readings_of_6_8_million() -> None:
    """Without the decoder: 8,215,568 − 82,432 − 525,312 − 803,600; with W shared over the grid: 8,215,568 − 1120·1280."""
    single = [e for e in reconciled("6.8M").explanations if len(e.changes) == 1]
    assert [(made(e), e.total, e.variant) for e in single] == [
        ({"decoder": "none"}, 6_804_224, "paper-no-decoder"),
        ({"digit_caps.shared_w": "grid"}, 6_781_968, "shared-w-grid"),
    ]
    assert single[0].changes[0].same_count == "counting.decoder = left out"


def test_a_shipped_variant_far_down_the_list_is_told_too() -> None:
    """22,476,448 = (81·3 + 1)·256 + (81·256 + 1)·512 + 9216·1280 + 160: 24×24×3, SAME, 64 types of 8, a bias, no decoder."""
    assert (81 * 3 + 1) * 256 + (81 * 256 + 1) * 512 + 12 * 12 * 64 * 1280 + 160 == 22_476_448
    found = reconciled("22.48M", top=3)
    assert [(each.variant, each.total) for each in found.shipped] == [("cifar10-released-code", 22_476_448)]
    assert found.shipped[0].weight == CHANCE_WOULD_DO
    assert all(each.confirmed for each in found.shipped)


def test_weights() -> None:
    found = reconciled("11.36M")
    assert found.explanations[0].weight == TELLING
    bias = next(e for e in found.explanations if "digit_caps.bias" in made(e))
    assert bias.weight == MORE_THAN_NEEDED
    assert {
        e.weight
        for e in reconciled("6.8M").explanations
        if len(e.changes) == 2 and e.changes[0].knob == "conv1.channels"
    } == {CHANCE_WOULD_DO}


def test_what_chance_would_give() -> None:
    """One knob, three totals between half and double 2.0M: 3 · 100,000 / 3,049,951, of which two have one change."""
    channels = [Knob("conv1.channels", tuple(Alternative(value, 0, "") for value in (60, 70)))]
    start = load_variant("paper", settings=["decoder=none", "conv1.channels=50", "digit_caps.shared_w=all"])
    totals = [channel * 82 + (81 * channel + 1) * 256 + 1280 for channel in (50, 60, 70)]
    figure = parse_figure("1.3M")
    assert all(figure.low // 2 <= total <= figure.high * 2 for total in totals)
    found = reconcile(figure, start, Space("s", "capsnet", "", tuple(channels)), load_all())
    width = 100_000 / (2 * figure.high - figure.low // 2 + 1)
    assert [group.expected_by_chance for group in found.by_changes] == pytest.approx([width, 2 * width])
    assert found.found == sum(figure.agrees_with(total) for total in totals)


def test_nothing_found_shows_the_nearest() -> None:
    """Of the networks that one change makes of `paper`, 11,361,808 and 13,475,648 lie around 12.00M."""
    found = reconciled("12.00M", changes_at_most=1)
    assert not found.agrees
    assert found.explanations == ()
    assert found.below is not None
    assert found.above is not None
    assert (found.below.total, found.above.total) == (11_361_808, 13_475_648)
    assert found.below.confirmed


def test_limits() -> None:
    with pytest.raises(CapsauditError, match="at least 1"):
        reconciled("8.2M", changes_at_most=0)
    limited = reconciled("11.36M", changes_at_most=2, torch=False)
    assert {len(e.changes) for e in limited.explanations} == {1, 2}
    assert limited.examined < limited.space_size
    assert [e.confirmed for e in limited.explanations] == [None] * len(limited.explanations)


def test_ranked_by_changes_then_by_how_assumption_cost() -> None:
    for figure in ("8.2M", "6.8M", "22.48M"):
        ranks = [(len(e.changes), e.assumption_cost) for e in reconciled(figure, torch=False, top=200).explanations]
        assert ranks == sorted(ranks)
        assert len(ranks) == 200 or figure == "22.48M"


def test_a_torch_that_disagrees_is_told() -> None:
    found = reconcile(
        parse_figure("11.36M"),
        load_variant("paper"),
        load_space("capsnet"),
        load_all(),
        confirm=lambda *_: False,
        top=1,
    )
    assert found.explanations[0].confirmed is False


def test_confirming_can_fail() -> None:
    assert confirm(load_variant("paper").spec, (), 8_215_568)
    assert not confirm(load_variant("paper").spec, (), 8_215_567)


@given(spaces(knobs_at_most=4))
@settings(max_examples=25, deadline=None)
def test_the_built_module_confirms_whatever_is_found(drawn: tuple[Space, Variant]) -> None:
    space, start = drawn
    search = Search(tables(start.spec, axes(space, start)))
    for found in list(search.within((0, 10**9), changes=9))[:20]:
        assert confirm(start.spec, found.turns, found.total)
