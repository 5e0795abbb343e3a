"""How a search is cut in two: whatever the cut, no part of a count lies on both sides of it."""

import numpy as np
import pytest
from hypothesis import given, settings

from capsaudit.catalogue import Variant, load_variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space, load_space
from capsaudit.errors import CapsauditError
from capsaudit.families.base import POSSIBLE
from capsaudit.interpretations.axes import Axis, axes
from capsaudit.interpretations.partition import Partition, partition_axes, size
from capsaudit.interpretations.tables import Table, Tables, tables
from capsaudit.knobs import KnobChange
from tests.interpretations.spaces import spaces


def assert_sound(partition: Partition, built: Tables) -> None:
    everything = (*partition.enumerated, *partition.sorted_axes)
    assert sorted(everything) == list(range(len(built.axes)))
    assert not set(built.possible.axes) & set(partition.sorted_axes)
    for part in built.parts:
        if set(part.axes) & set(partition.sorted_axes):
            assert not set(part.axes) & set(partition.rest), part.part


@given(spaces())
@settings(deadline=None)
def test_no_part_depends_on_both_sides_apart_from_the_shared_axes(drawn: tuple[Space, Variant]) -> None:
    space, start = drawn
    built = tables(start.spec, axes(space, start))
    assert_sound(partition_axes(built), built)


@pytest.mark.parametrize(("space", "variant"), [("capsnet", "paper"), ("baseline", "baseline-mnist")])
def test_partitions_of_the_shipped_spaces(space: str, variant: str) -> None:
    start = load_variant(variant)
    built = tables(start.spec, axes(load_space(space), start))
    assert_sound(partition_axes(built), built)


def test_a_large_space_costs_far_less_than_its_product() -> None:
    """The decoder's widths meet no other knob, so one side has them and the other the 256·64 choices of the convolutions."""
    start = load_variant("paper")
    values: dict[str, list[object]] = {
        "decoder.hidden": [[n, 2 * n] for n in range(1, 501)],
        "conv1.channels": list(range(1, 257)),
        "primary_caps.types": list(range(1, 65)),
    }
    knobs = tuple(Knob(name, tuple(Alternative(v, 0, "") for v in found)) for name, found in values.items())
    built = tables(start.spec, axes(Space("", "capsnet", "", knobs), start))
    partition = partition_axes(built)
    assert_sound(partition, built)
    whole = size(built, range(len(built.axes)))
    assert whole >= 500 * 256 * 64
    both = size(built, partition.enumerated) + size(built, (*partition.shared, *partition.sorted_axes))
    assert both * 100 < whole


def test_axes_that_meet_nowhere_are_shared_between_both_sides() -> None:
    """Ten choices for each of four knobs: two on a side are 100 and 100, one and three are 10 and 1000."""
    changes = (KnobChange(knob="k", before=0, after=n) for n in range(1, 10))
    axis = Axis(("k",), ((), *((change,) for change in changes)))
    parts = tuple(Table(f"part {n}", (n,), np.arange(10)) for n in range(4))
    built = Tables((axis,) * 4, parts, Table(POSSIBLE, (), np.array(True)))
    partition = partition_axes(built)
    assert_sound(partition, built)
    assert (size(built, partition.enumerated), size(built, partition.sorted_axes)) == (100, 100)


def test_the_size_of_no_axes_is_one_choice() -> None:
    start = load_variant("paper")
    assert size(tables(start.spec, ()), ()) == 1
    assert partition_axes(tables(start.spec, ())) == Partition((), (), ())


def test_a_space_too_large_is_refused_with_what_makes_it_so() -> None:
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
    start = load_variant("paper")
    with pytest.raises(CapsauditError, match=r"the space is too large: .* list fewer alternatives"):
        partition_axes(tables(start.spec, axes(space, start)))


def test_a_space_that_takes_too_many_steps_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from capsaudit.interpretations import partition

    monkeypatch.setattr(partition, "LARGEST_ENUMERATION", 3)
    start = load_variant("paper")
    space = Space("", "capsnet", "", (Knob("image.size", tuple(Alternative(n, 0, "") for n in (30, 32, 34, 36))),))
    with pytest.raises(
        CapsauditError,
        match=r"it has 5 interpretations, of which the search would have to enumerate 5 \(at most 3\).*image\.size \(5\)",
    ):
        partition_axes(tables(start.spec, axes(space, start)))
