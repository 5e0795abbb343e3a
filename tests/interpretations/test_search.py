"""The search finds what the plain product finds: all of it, and nothing else."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsaudit.catalogue import Variant, load_all, load_variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space, load_space
from capsaudit.conventions import counted
from capsaudit.families import family_of, impossible, layers, total
from capsaudit.interpretations.axes import applied, axes, size
from capsaudit.interpretations.search import Interpretation, Search
from capsaudit.interpretations.tables import tables
from capsaudit.knobs import KnobChange
from tests.interpretations.brute import Change, interpretations
from tests.interpretations.spaces import spaces

ALL = 99


def search(space: Space, start: Variant) -> Search:
    return Search(tables(start.spec, axes(space, start)))


def key(made: Iterable[Change]) -> str:
    return str(sorted((knob, str(value)) for knob, value in made))


def keys(found: list[Interpretation]) -> dict[str, int]:
    named = {key((change.knob, change.after) for change in each.changes): each.total for each in found}
    assert len(named) == len(found), "an interpretation was found twice"
    return named


@given(spaces(), st.integers(0, 400), st.integers(0, 200), st.integers(0, 4))
@settings(max_examples=300, deadline=None)
def test_equal_to_brute_force(drawn: tuple[Space, Variant], low: int, width: int, changes: int) -> None:
    assert_equal_to_brute_force(*drawn, low, width, changes)


def assert_equal_to_brute_force(space: Space, start: Variant, low: int, width: int, changes: int) -> None:
    every = {key(made): (len(made), total) for made, total in interpretations(space, start.spec)}
    possible = {name: (made, total) for name, (made, total) in every.items() if total is not None}
    inside = {name: pair for name, pair in possible.items() if low <= pair[1] <= low + width}
    found = search(space, start)
    interval = (low, low + width)
    assert found.sizes(changes=None) == (len(every), len(possible))
    assert found.sizes(changes=changes)[0] == sum(made <= changes for made, _ in every.values())
    assert found.sizes(changes=changes)[1] == sum(made <= changes for made, _ in possible.values())
    assert keys(list(found.within(interval, changes=ALL))) == {name: total for name, (_, total) in inside.items()}
    few = {name: total for name, (made, total) in inside.items() if made <= changes}
    assert keys(list(found.within(interval, changes=changes))) == few
    by_changes = Counter(made for made, _ in inside.values())
    assert dict(enumerate(found.by_changes(interval))) == {
        n: by_changes[n] for n in range(max(by_changes, default=-1) + 1)
    }
    for limit in (None, changes):
        totals = [total for made, total in possible.values() if limit is None or made <= limit]
        below = max((total for total in totals if total < low), default=None)
        above = min((total for total in totals if total > low + width), default=None)
        assert found.nearest(interval, changes=limit) == (below, above)


def alternatives(values: Iterable[int]) -> tuple[Alternative, ...]:
    return tuple(Alternative(value, 0, "") for value in values)


@pytest.mark.parametrize("at_once", [1, 3, 12])
def test_more_choices_than_one_block_holds(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heights and widths are enumerated, 4·3 choices."""
    monkeypatch.setattr("capsaudit.interpretations.search._AT_ONCE", at_once)
    knobs = (
        Knob("image.height", alternatives([29, 30, 36])),
        Knob("image.width", alternatives([30, 36])),
        Knob("digit_caps.dimension", alternatives(range(1, 9))),
    )
    start = load_variant("paper-no-decoder")
    assert_equal_to_brute_force(Space("", "capsnet", "", knobs), start, 6_000_000, 3_000_000, 3)


@pytest.mark.parametrize("changes", [1, 2])
def test_counts_below_zero_of_impossible_networks_do_not_hide_others(changes: int) -> None:
    """A height of 10 leaves ⌊(2 − 9)/2⌋ + 1 = −3 rows of capsules: with 6 columns, fewer than no weights."""
    start = load_variant("paper-no-decoder")
    knobs = (
        Knob("image.height", alternatives([10, 12, 14, 30, 32])),
        Knob("digit_caps.dimension", alternatives(range(1, 12))),
    )
    assert_equal_to_brute_force(Space("", "capsnet", "", knobs), start, 6_000_000, 1_000_000, changes)


def test_running_statistics_cannot_be_counted_where_another_change_removes_them() -> None:
    """Without its layers, an Efficient-CapsNet has no batch normalisation: three interpretations, not four."""
    start = load_variant("efficient-capsnet")
    knobs = (
        Knob("layers", (Alternative([], 0, ""),)),
        Knob("counting.running_statistics", (Alternative("counted", 0, ""),)),
        Knob("layers.1.channels", alternatives([16])),
    )
    assert_equal_to_brute_force(Space("", "efficient-capsnet", "", knobs[:2]), start, 0, 10**9, 2)
    assert_equal_to_brute_force(Space("", "efficient-capsnet", "", knobs), start, 0, 10**9, 3)


def test_an_interval_that_ends_beyond_the_integers_of_the_machine() -> None:
    start = load_variant("paper")
    found = search(load_space("capsnet"), start)
    assert found.by_changes((0, 10**40)).sum() == found.sizes(changes=None)[1]
    assert found.nearest((0, 10**40), changes=None) == (None, None)


def test_more_rows_than_fit_one_behind_the_other_in_an_integer_of_the_machine() -> None:
    """60 heights by 60 widths make 3600 rows of totals up to 2^52.6: as keys in one order they reach 2^64.4."""
    start = load_variant("paper-no-decoder")
    dimensions = (*range(1, 9), 2_000_000_000)
    knobs = (
        Knob("image.height", alternatives(range(29, 88))),
        Knob("image.width", alternatives(range(29, 88))),
        Knob("digit_caps.dimension", alternatives(dimensions)),
    )
    found = search(Space("", "capsnet", "", knobs), start)
    for side, capsule_side in ((87, 36), (86, 35), (57, 21)):  # ⌊(side − 8 − 9)/2⌋ + 1
        wanted = 20_992 + 5_308_672 + 32 * capsule_side**2 * 10 * 8 * 2_000_000_000
        made = {
            (change.knob, change.after) for each in found.within((wanted, wanted), changes=3) for change in each.changes
        }
        assert {("image.height", side), ("image.width", side), ("digit_caps.dimension", 2_000_000_000)} <= made


@pytest.mark.parametrize(("start", "after"), [("true", "false"), ("false", "true")])
def test_biases_may_be_left_out_whether_or_not_another_change_makes_or_removes_them(start: str, after: str) -> None:
    """Two knobs of two values each: four interpretations. Without a decoder only the convolutions can have a bias."""
    settings = [f"conv1.bias={start}", "primary_caps.bias=false"]
    variant = load_variant("paper-no-decoder", settings=settings)
    knobs = (
        Knob("conv1.bias", (Alternative(after == "true", 0, ""),)),
        Knob("counting.biases", (Alternative("left out", 0, ""),)),
    )
    found = search(Space("", "capsnet", "", knobs), variant)
    bare = 6_804_224 - 256 - 256
    totals = sorted(each.total for each in found.within((0, 10**9), changes=2))
    assert totals == [bare, bare, bare, bare + 256]
    assert found.sizes(changes=None) == (4, 4)


@pytest.mark.parametrize("variant", load_all(), ids=lambda variant: variant.id)
def test_every_shipped_variant_can_start(variant: Variant) -> None:
    space = load_space(family_of(variant.spec).name)
    found, reached = search(space, variant), total(variant.spec)
    assert any(not each.changes for each in found.within((reached, reached), changes=0))
    assert size(axes(space, variant)) == found.sizes(changes=None)[0]


def test_every_found_one_comes_to_its_total() -> None:
    """Built again from its changes, by the plain arithmetic."""
    start = load_variant("paper")
    found = list(search(load_space("capsnet"), start).within((8_150_000, 8_249_999), changes=4))
    assert len(found) > 50
    for each in found:
        spec, counting = applied(start.spec, each.changes)
        assert impossible(spec) is None
        assert each.total == sum(tensor.count for _, tensor in counted(layers(spec), counting))


def test_larger_than_the_integers_of_the_machine() -> None:
    """1152·10·8·2^60 and 1152·10·8·2^61 do not fit into 64 bits."""
    start = load_variant("paper")
    sizes = (2**60, 2**61)
    knob = Knob("digit_caps.dimension", tuple(Alternative(value, 0, "") for value in sizes))
    shared = Knob("digit_caps.shared_w", (Alternative("all", 0, ""),))
    space = Space("large", "capsnet", "", (knob, shared))
    decoder = 10 * 2**61 * 512 + 512 + 525_312 + 803_600
    wanted = 20_992 + 5_308_672 + 1152 * 10 * 8 * 2**61 + decoder
    assert [each.total for each in search(space, start).within((wanted, wanted), changes=2)] == [wanted]
    assert (
        search(space, start).nearest((wanted, 10**40), changes=None)[0]
        == wanted - 1152 * 10 * 8 * 2**60 - 10 * 2**60 * 512
    )


def test_what_an_interpretation_assumes_adds_up() -> None:
    made = (
        KnobChange(knob="image.size", before=28, after=36, assumption_cost=1),
        KnobChange(knob="digit_caps.bias", before=False, after=True, assumption_cost=2),
    )
    assert Interpretation(made, 11_361_968).assumption_cost == 3
    assert Interpretation((), 8_215_568).assumption_cost == 0


def test_progress_goes_from_nothing_to_everything() -> None:
    seen: list[tuple[int, int]] = []
    start = load_variant("paper")
    built = tables(start.spec, axes(load_space("capsnet"), start))
    Search(built, lambda done, every: seen.append((done, every))).by_changes((0, 10**9))
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1] > 0
    assert seen == sorted(seen)
