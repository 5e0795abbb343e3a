"""The search finds what the plain product finds: all of it, and nothing else."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsaudit.catalogue import Variant, load_all, load_variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space, load_space
from capsaudit.conventions import ROUNDING, counted
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of, impossible, layers, sides
from capsaudit.families.baseline import Baseline
from capsaudit.interpretations.axes import applied, axes, size
from capsaudit.interpretations.search import Found, Search
from capsaudit.interpretations.tables import tables
from capsaudit.spec import Spec
from tests.interpretations.brute import interpretations
from tests.interpretations.spaces import BASELINE, CAPSNET, spaces, spaces_of
from tests.strategies import specs

ALL = 99


def search(space: Space, start: Variant) -> Search:
    return Search(tables(start.spec, axes(space, start)))


def key(turned: Any) -> str:
    return str(sorted((knob, str(value)) for knob, value in turned))


def keys(found: list[Found]) -> dict[str, int]:
    named = {key((turn.knob, turn.after) for turn in each.turns): each.total for each in found}
    assert len(named) == len(found), "an interpretation was found twice"
    return named


@given(spaces(), st.integers(0, 400), st.integers(0, 200), st.integers(0, 4))
@settings(max_examples=300, deadline=None)
def test_equal_to_brute_force(drawn: tuple[Space, Variant], low: int, width: int, changes: int) -> None:
    space, start = drawn
    every = {key(turned): (len(turned), total) for turned, total in interpretations(space, start.spec)}
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


@given(specs())
def test_sides_are_positive_where_a_network_is_possible(spec: Spec) -> None:
    assert all(side >= 1 for pair in sides(spec) for side in pair)


@pytest.mark.parametrize("knob", sorted(CAPSNET.keys() | BASELINE.keys()))
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_part_depends_on_a_knob_outside_its_scope(knob: str, data: st.DataObject) -> None:
    """Each option of one knob is built as a network: a part whose table lacks its axis counts as it does without the option."""
    space, start = data.draw(spaces_of(knob))
    built = tables(start.spec, axes(space, start))
    before = counts_by_part(start.spec, {})
    for option in (option for axis in built.axes for option in axis.options):
        spec, counting = applied(start.spec, option)
        if impossible(spec) is None:
            after = counts_by_part(spec, counting)
            apart = [part.part for part in built.parts if not part.axes]
            assert {name: after[name] for name in apart} == {name: before[name] for name in apart}
            assert after.keys() <= {part.part for part in built.parts}


def counts_by_part(spec: Spec, counting: dict[str, str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for layer, tensor, count in counted(layers(spec), counting):
        whole = layer.startswith("fc") or isinstance(spec, Baseline)
        found[("fc" if layer.startswith("fc") else layer) if whole else f"{layer}.{tensor}"] += count
    return found


@pytest.mark.parametrize("variant", load_all(), ids=lambda variant: variant.id)
def test_every_shipped_variant_can_start(variant: Variant) -> None:
    space = load_space(family_of(variant.spec).name)
    found = axes(space, variant)
    total = sum(layer.formula.value for layer in layers(variant.spec))
    assert any(not each.turns for each in search(space, variant).within((total, total), changes=0))
    assert size(found) == search(space, variant).sizes(changes=None)[0]


def test_every_found_one_comes_to_its_total() -> None:
    """Built again from its changes, by the plain arithmetic."""
    start = load_variant("paper")
    found = list(search(load_space("capsnet"), start).within((8_150_000, 8_249_999), changes=4))
    assert len(found) > 50
    for each in found:
        spec, counting = applied(start.spec, each.turns)
        assert impossible(spec) is None
        assert each.total == sum(count for _, _, count in counted(layers(spec), counting))


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


def test_a_space_too_large_says_so() -> None:
    """400 values each for five knobs that all meet in DigitCaps' W."""
    values = tuple(Alternative(value, 0, "") for value in range(1, 401))
    names = (
        "image.channels",
        "digit_caps.classes",
        "digit_caps.dimension",
        "primary_caps.types",
        "primary_caps.dimension",
    )
    space = Space("huge.toml", "capsnet", "", tuple(Knob(name, values) for name in names))
    with pytest.raises(CapsauditError, match=r"the space is too large: .* list fewer alternatives"):
        search(space, load_variant("paper"))


def test_rounding_is_no_axis() -> None:
    assert ROUNDING not in {knob for axis in axes(load_space("capsnet"), load_variant("paper")) for knob in axis.knobs}
