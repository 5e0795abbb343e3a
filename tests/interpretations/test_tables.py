"""Counts of parts as arrays: each part depends on the knobs of its scope and on no other."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsaudit.catalogue import Variant, load_variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space, load_space
from capsaudit.conventions import counted
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of, impossible, layers
from capsaudit.families.base import POSSIBLE
from capsaudit.interpretations import tables as tables_
from capsaudit.interpretations.axes import applied, axes
from capsaudit.interpretations.tables import Table, spread, tables
from capsaudit.spec import Spec
from tests.interpretations.spaces import KNOBS, SIDES, spaces_of


@pytest.mark.parametrize("knob", sorted({knob for knobs in (*KNOBS.values(), SIDES) for knob in knobs}))
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_part_depends_on_a_knob_outside_its_scope(knob: str, data: st.DataObject) -> None:
    """Each option of one knob is built as a network: a part whose table lacks its axis counts as it does without the option."""
    space, start = data.draw(spaces_of(knob))
    built = tables(start.spec, axes(space, start))
    names = {part.part for part in built.parts}
    before = counts_by_part(start.spec, {}, names)
    for option in (option for axis in built.axes for option in axis.options):
        spec, counting = applied(start.spec, option)
        if not built.possible.axes:
            assert impossible(spec) is None
        if impossible(spec) is None:
            after = counts_by_part(spec, counting, names)
            apart = [part.part for part in built.parts if not part.axes]
            assert {name: after[name] for name in apart} == {name: before[name] for name in apart}


def counts_by_part(spec: Spec, counting: dict[str, str], parts: set[str]) -> Counter[str]:
    """Every tensor in exactly one part: its own, its layer's, or that of all layers of its kind."""
    found: Counter[str] = Counter()
    for layer, tensor in counted(layers(spec), counting):
        (part,) = {f"{layer}.{tensor.name}", layer, layer.rstrip("0123456789")} & parts
        found[part] += tensor.count
    return found


def one_knob(name: str, *values: object, variant: str = "paper") -> tuple[Space, Variant]:
    start = load_variant(variant)
    return Space("", "capsnet", "", (Knob(name, tuple(Alternative(value, 0, "") for value in values)),)), start


def test_a_table_has_the_counts_of_a_part_along_the_axes_that_it_depends_on() -> None:
    """Conv1's weight is 9·9·1·256, or 5·5·1·256; PrimaryCaps has a grid of 6×6, or 8×8."""
    space, start = one_knob("conv1.kernel", 5)
    built = tables(start.spec, axes(space, start))
    parts = {part.part: part for part in built.parts}
    assert parts["conv1.weight"].values.tolist() == [20_736, 6_400]
    assert parts["conv1.bias"].axes == ()
    assert int(parts["conv1.bias"].values) == 256
    assert parts["digit_caps.weight"].values.tolist() == [36 * 32 * 1280, 64 * 32 * 1280]
    assert built.over([0], built.parts, {}).tolist() == [8_215_568, 8_215_568 - 14_336 + 28 * 32 * 1280]


@pytest.mark.parametrize(
    ("variant", "settings", "knob", "values", "possible"),
    [
        # 16 − 9 + 1 = 8 is smaller than PrimaryCaps' kernel, 17 − 9 + 1 = 9 is not
        ("paper", [], "image.size", [16, 17, 36], [True, False, True, True]),
        ("paper", [], "image.height", [16, 17], [True, False, True]),
        ("paper", [], "image.width", [16, 17], [True, False, True]),
        ("paper", [], "conv1.kernel", [21, 20], [True, False, True]),  # 8, 9
        ("paper", [], "conv1.stride", [3, 2], [True, False, True]),  # ⌊19/3⌋ + 1 = 7, ⌊19/2⌋ + 1 = 10
        ("paper", ["image.size=16", "conv1.padding=same"], "conv1.padding", ["valid", 1], [True, False, True]),  # 8, 10
        ("paper", [], "primary_caps.kernel", [21, 20], [True, False, True]),
        ("paper", ["primary_caps.kernel=22", "primary_caps.padding=1"], "primary_caps.padding", ["valid"], [True, False]),
        ("baseline-mnist", ["padding=valid"], "image.size", [12, 13], [True, False, True]),  # three kernels of 5: 12
        ("baseline-mnist", ["image.size=12"], "padding", ["valid"], [True, False]),
        ("baseline-mnist", [], "layers.1.pool", [29, 28], [True, False, True]),
        ("baseline-mnist", ["padding=valid"], "layers.1.stride", [5, 2], [True, False, True]),  # 5 → 1 and then 5 > 1; 12 → 8 → 4
    ],
)  # fmt: skip
def test_networks_that_cannot_exist_are_marked(
    variant: str, settings: list[str], knob: str, values: list[object], possible: list[bool]
) -> None:
    start = load_variant(variant, settings=settings)
    knobs = (Knob(knob, tuple(Alternative(value, 0, "") for value in values)),)
    space = Space("", family_of(start.spec).name, "", knobs)
    assert tables(start.spec, axes(space, start)).possible.values.tolist() == possible


def test_counts_are_integers_of_the_machine_as_long_as_they_fit() -> None:
    space, start = one_knob("digit_caps.dimension", 8)
    assert {part.values.dtype for part in tables(start.spec, axes(space, start)).parts} == {np.dtype(np.int64)}
    space, start = one_knob("digit_caps.dimension", 2**60)
    built = tables(start.spec, axes(space, start))
    assert {part.values.dtype for part in built.parts} == {np.dtype(object)}
    assert built.over([0], [p for p in built.parts if p.part == "digit_caps.weight"], {}).tolist() == [
        1152 * 10 * 8 * 16,
        1152 * 10 * 8 * 2**60,
    ]


def test_every_option_at_once_is_what_each_of_them_is_alone() -> None:
    """Sizes as arrays give what they give one by one; words are evaluated one by one to begin with."""
    space, start = load_space("capsnet"), load_variant("paper")
    around = axes(space, start)
    built = tables(start.spec, around)
    names = {part.part for part in built.parts}
    for place, axis in enumerate(around):
        for at, option in enumerate(axis.options):
            spec, counting = applied(start.spec, option)
            everywhere = {i: at if i == place else 0 for i in range(len(around))}
            assert bool(spread(built.possible, (), everywhere)) == (impossible(spec) is None)
            if impossible(spec) is None:
                alone = counts_by_part(spec, counting, names)
                assert {p.part: int(spread(p, (), everywhere)) for p in built.parts} == {n: alone[n] for n in names}


def test_a_table_is_laid_out_over_the_chosen_axes() -> None:
    table = Table("part", (1, 3), np.array([[1, 2, 3], [4, 5, 6]]))
    assert spread(table, (3, 0, 1), {}).shape == (3, 1, 2)
    assert spread(table, (3, 0, 1), {})[2, 0, 1] == 6
    assert spread(table, (0, 3), {1: 1}).tolist() == [[4, 5, 6]]
    assert spread(table, (), {1: 0, 3: 2}).tolist() == 3


def test_a_part_with_too_many_combinations_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables_, "LARGEST_TABLE", 5)
    space, start = one_knob("conv1.channels", 1, 2, 3, 4)
    tables(start.spec, axes(space, start))
    space, start = one_knob("conv1.channels", 1, 2, 3, 4, 5)
    with pytest.raises(
        CapsauditError,
        match=r"the space is too large: conv1\.channels all enter conv1\.weight, which would take 6 counts \(at most 5\)",
    ):
        tables(start.spec, axes(space, start))


def test_whether_a_network_is_possible_is_no_part_of_the_count() -> None:
    space, start = one_knob("image.size", 36)
    built = tables(start.spec, axes(space, start))
    assert POSSIBLE not in {part.part for part in built.parts}
    assert built.possible.part == POSSIBLE
