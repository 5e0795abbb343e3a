"""reconcile: figures and their explanations. Every expected total is derived beside it."""

import csv
import io
import json
import signal
import sys
from pathlib import Path

import pytest

from capsaudit.catalogue import load_all, load_variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space, load_space
from capsaudit.commands.confirm import confirm
from capsaudit.commands.reconcile import reconcile
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of
from capsaudit.published import judge, parse_figure
from capsaudit.results import Explanation, Reconciliation
from tests.interpretations.large import write_large_space
from tests.processes import invoke, lines, run, start


def reconciled(
    figure: str, start: str = "paper", *, torch: bool = True, changes_at_most: int | None = None, top: int = 10
) -> Reconciliation:
    variant = load_variant(start)
    return reconcile(
        parse_figure(figure),
        variant,
        load_space(family_of(variant.spec).name),
        load_all(),
        confirm=confirm if torch else lambda *_: None,
        changes_at_most=changes_at_most,
        top=top,
    )


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


def test_two_interpretations_of_6_8_million() -> None:
    """Without the decoder: 8,215,568 − 82,432 − 525,312 − 803,600; with W shared over the grid: 8,215,568 − 1120·1280."""
    single = [e for e in reconciled("6.8M").explanations if len(e.changes) == 1]
    assert [(made(e), e.total, e.variant) for e in single] == [
        ({"decoder": "none"}, 6_804_224, "paper-no-decoder"),
        ({"digit_caps.shared_w": "grid"}, 6_781_968, "shared-w-grid"),
    ]
    assert single[0].changes[0].same_count == "counting.decoder = left out"


def test_a_shipped_variant_far_down_the_list_is_named_too() -> None:
    """22,476,448 = (81·3 + 1)·256 + (81·256 + 1)·512 + 9216·1280 + 160: 24×24×3, SAME, 64 types of 8, a bias, no decoder."""
    assert (81 * 3 + 1) * 256 + (81 * 256 + 1) * 512 + 12 * 12 * 64 * 1280 + 160 == 22_476_448
    found = reconciled("22.48M", top=3)
    assert [(each.variant, each.total) for each in found.shipped] == [("cifar10-released-code", 22_476_448)]
    assert found.shipped[0].evidence == "redundant"  # without the bias, 22,476,288, it rounds to 22.48M too
    assert all(each.confirmed for each in found.shipped)


def test_evidence() -> None:
    found = reconciled("11.36M")
    assert found.explanations[0].evidence == "strong"
    bias = next(e for e in found.explanations if "digit_caps.bias" in made(e))
    assert bias.evidence == "redundant"
    assert {
        e.evidence
        for e in reconciled("6.8M").explanations
        if len(e.changes) == 2 and e.changes[0].knob == "conv1.channels"
    } == {"none"}


@pytest.mark.parametrize(
    ("figure", "alternatives", "evidence"),
    [
        # from 10 // 2 to 10·2 there are 16 totals, of which the figure has one
        pytest.param("10", 16, "none", id="16·1/16 = 1 explanation by chance"),
        pytest.param("10", 15, "weak", id="15/16"),
        # from 6 // 2 to 6·2 there are 10 totals
        pytest.param("6", 1, "weak", id="1/10"),
        pytest.param("10", 1, "strong", id="1/16"),
    ],
)
def test_where_evidence_begins_and_ends(figure: str, alternatives: int, evidence: str) -> None:
    """One pixel, a weight and a bias for each class; the alternatives change no count."""
    classes = int(figure) // 2
    settings = ["layers=[]", "fully_connected.hidden=[]", "image.height=1", "image.width=1"]
    start = load_variant("baseline-mnist", settings=[*settings, f"fully_connected.classes={classes}"])
    dropout = Knob("fully_connected.dropout", tuple(Alternative(n / 100, 0, "") for n in range(1, alternatives + 1)))
    found = reconcile(parse_figure(figure), start, Space("s", "baseline", "", (dropout,)), load_all(), top=2)
    assert [group.found for group in found.by_changes] == [1, alternatives]
    assert found.start_total == int(figure)
    assert (len(found.explanations[1].changes), found.explanations[1].evidence) == (1, evidence)


def test_what_chance_would_give() -> None:
    """One knob, three totals between half and double 2.0M: 3 · 100,000 / 3,049,951, of which two have one change."""
    channels = [Knob("conv1.channels", tuple(Alternative(value, 0, "") for value in (60, 70)))]
    start = load_variant("paper", settings=["decoder=none", "conv1.channels=50", "digit_caps.shared_w=all"])
    totals = [channel * 82 + (81 * channel + 1) * 256 + 1280 for channel in (50, 60, 70)]
    figure = parse_figure("1.3M")
    assert all(figure.low // 2 <= total <= figure.high * 2 for total in totals)
    found = reconcile(figure, start, Space("s", "capsnet", "", tuple(channels)), load_all())
    width = 100_000 / (2 * figure.high - figure.low // 2 + 1)
    assert [group.expected_by_chance for group in found.by_changes] == pytest.approx([width, 2 * width], rel=1e-9)
    assert found.found == sum(judge(figure, total) == "agrees" for total in totals)


@pytest.mark.parametrize(
    ("figure", "digits", "channels", "changes"),
    [
        pytest.param("4124K", None, 198, [{}], id="rounded up, without a change"),
        pytest.param("4123K", None, 198, [{"counting.rounding": "cut"}], id="the smallest count that is cut"),
        pytest.param("9328K", None, 448, [{}], id="the figure itself"),
        pytest.param("9327K", None, 448, [], id="one more than what is cut"),
        pytest.param("9320K", 3, 448, [{"counting.rounding": "cut"}], id="9.32M, of which the zero fills a place"),
        pytest.param("9320K", 4, 448, [], id="9.320M"),
    ],
)
def test_where_cutting_begins_and_ends(
    figure: str, digits: int | None, channels: int, changes: list[dict[str, object]]
) -> None:
    """82·198 + (81·198 + 1)·256 + 1280 = 4,123,500, halfway between two thousands, and with 448 channels 9,328,000."""
    settings = ["decoder=none", f"conv1.channels={channels}", "digit_caps.shared_w=all"]
    knobs = (
        Knob("counting.rounding", (Alternative("cut", 2, ""),)),
        Knob("digit_caps.bias", (Alternative(True, 0, ""),)),  # 160 more
    )
    space = Space("s", "capsnet", "", knobs)
    parsed = parse_figure(figure, digits=digits)
    found = reconcile(parsed, load_variant("paper", settings=settings), space, load_all())
    assert [made(each) for each in found.explanations if "digit_caps.bias" not in made(each)] == changes


@pytest.mark.parametrize(("figure", "size"), [("8.2M", 4), ("8,215,568", 2)])
def test_an_exact_figure_cannot_be_cut(figure: str, size: int) -> None:
    """With and without a bias, rounded or cut."""
    knobs = (
        Knob("counting.rounding", (Alternative("cut", 2, ""),)),
        Knob("digit_caps.bias", (Alternative(True, 0, ""),)),
    )
    found = reconcile(parse_figure(figure), load_variant("paper"), Space("s", "capsnet", "", knobs), load_all())
    assert found.space_size == size


def test_nothing_found_shows_the_nearest() -> None:
    """Of the networks that one change makes of `paper`, 11,361,808 and 13,475,648 lie within a tenth of 12.50M."""
    found = reconciled("12.50M", changes_at_most=1)
    assert not found.agrees
    assert found.explanations == ()
    assert found.below is not None
    assert found.above is not None
    assert (found.below.total, found.above.total) == (11_361_808, 13_475_648)
    assert found.below.confirmed


def test_what_is_more_than_a_tenth_away_is_not_near() -> None:
    """11,361,808 is 5 % below 12.00M, 13,475,648 is 12 % above it."""
    found = reconciled("12.00M", changes_at_most=1)
    assert found.below is not None
    assert (found.below.total, found.above) == (11_361_808, None)


def test_evidence_does_not_depend_on_how_many_are_listed() -> None:
    few, many = reconciled("22.48M", torch=False, top=1), reconciled("22.48M", torch=False, top=500)
    shown = {each.variant: each.evidence for each in many.explanations if each.variant}
    assert {each.variant: each.evidence for each in few.shipped}.items() <= shown.items()
    assert few.shipped


def test_limits() -> None:
    with pytest.raises(CapsauditError, match="at least 1"):
        reconciled("8.2M", changes_at_most=0)
    limited = reconciled("11.36M", changes_at_most=2, torch=False)
    assert {len(e.changes) for e in limited.explanations} == {1, 2}
    assert limited.examined < limited.space_size
    assert [e.confirmed for e in limited.explanations] == [None] * len(limited.explanations)


def test_ranked_by_changes_then_by_assumption_cost() -> None:
    for figure in ("8.2M", "6.8M", "22.48M"):
        ranks = [(len(e.changes), e.assumption_cost) for e in reconciled(figure, torch=False, top=200).explanations]
        assert ranks == sorted(ranks)
        assert len(ranks) == 200 or figure == "22.48M"


def test_a_torch_that_disagrees_is_reported() -> None:
    found = reconcile(
        parse_figure("11.36M"),
        load_variant("paper"),
        load_space("capsnet"),
        load_all(),
        confirm=lambda *_: False,
        top=1,
    )
    assert found.explanations[0].confirmed is False


def test_the_first_line_answers() -> None:
    first = run("reconcile", "11.36M", "--witness", "formula").stdout.splitlines()[0]
    assert first == "11.36M: multimnist, 11,361,808; from paper one change, image.size 28 → 36"


def test_json_has_the_keys_of_the_contract() -> None:
    found = json.loads(invoke("reconcile", "11.36M", "--witness", "formula", "--format", "json").stdout)
    assert (found["schema"], found["figure"], found["interval"], found["from"]) == (
        2,
        "11.36M",
        [11_355_000, 11_364_999],
        "paper",
    )
    assert found["complete"] is True
    assert found["examined"] == found["space_size"]
    first = found["explanations"][0]
    assert first["total"] == 11_361_808
    assert [(c["knob"], c["from"], c["to"]) for c in first["changes"]] == [("image.size", 28, 36)]


def test_csv_has_one_value_a_column() -> None:
    printed = invoke("reconcile", "6.8M", "--witness", "formula", "--top", "2", "--format", "csv").stdout
    rows = [row for row in csv.DictReader(io.StringIO(printed)) if row["kind"] == "interpretation"]
    assert [(row["total"], row["variant"]) for row in rows] == [
        ("6804224", "paper-no-decoder"),
        ("6781968", "shared-w-grid"),
    ]


def test_markdown() -> None:
    printed = invoke("reconcile", "8.2M", "--witness", "formula", "--format", "markdown").stdout
    assert printed.startswith("### ")
    assert "| --- |" in printed or "| ---: |" in printed


def test_a_space_of_ones_own(tmp_path: Path) -> None:
    """5·5 kernels: (25 + 1)·256 + (81·256 + 1)·256 + 1152·1280·… : 28 − 4 = 24, ⌊15/2⌋ + 1 = 8, 2048 capsules: 2048·1280."""
    total = 26 * 256 + (81 * 256 + 1) * 256 + 2048 * 1280 + 82_432 + 525_312 + 803_600
    space = tmp_path / "mine.toml"
    space.write_text(
        'family = "capsnet"\nsummary = "mine"\n[[knobs]]\nknob = "conv1.kernel"\n'
        'alternatives = [{ value = 5, assumption_cost = 1, source = "me" }]\n'
    )
    done = invoke("reconcile", str(total), "--space", "mine.toml", "--format", "json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (found["examined"], found["found"], found["explanations"][0]["total"]) == (2, 1, total)
    assert found["explanations"][0]["confirmed"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent as a POSIX signal")
def test_an_interrupt_is_reported_in_one_line(tmp_path: Path) -> None:
    """It is sent when the bar of the search appears."""
    space = write_large_space(tmp_path / "large.toml")
    with start("reconcile", "11.36M", "--space", str(space), "--witness", "formula") as (process, terminal):
        terminal.wait_for("searching", process)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
        *bars, message = lines(terminal.text())
    assert (process.returncode, printed, message) == (130, "", "capsaudit: reconcile interrupted")
    assert "Traceback" not in " ".join(bars)
