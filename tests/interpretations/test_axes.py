"""A space around a variant as axes: which knobs share one, and which combinations make sense."""

import pytest

from capsaudit.catalogue import load_variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space, load_space
from capsaudit.conventions import READINGS, ROUNDING, THOUSANDS
from capsaudit.errors import CapsauditError, FileError
from capsaudit.families import total
from capsaudit.interpretations.axes import LARGEST_AXIS, Axis, applied, axes, readings, size
from capsaudit.knobs import KnobChange


def space(**knobs: list[object]) -> Space:
    """`digit_caps__bias=[True]` is a knob with one alternative."""
    return Space(
        "mine.toml", "capsnet", "", tuple(knob(name.replace("__", "."), *values) for name, values in knobs.items())
    )


def knob(name: str, *values: object) -> Knob:
    return Knob(name, tuple(Alternative(value, 1, "me") for value in values))


def options(axis: Axis) -> list[dict[str, object]]:
    return [{change.knob: change.after for change in option} for option in axis.options]


def test_each_knob_is_an_axis_whose_first_option_changes_nothing() -> None:
    found = axes(space(conv1__kernel=[5, 7], digit_caps__bias=[True]), load_variant("paper"))
    assert [axis.knobs for axis in found] == [("conv1.kernel",), ("digit_caps.bias",)]
    assert [options(axis) for axis in found] == [
        [{}, {"conv1.kernel": 5}, {"conv1.kernel": 7}],
        [{}, {"digit_caps.bias": True}],
    ]
    assert size(found) == 3 * 2
    assert [len(axis) for axis in found] == [3, 2]


def test_what_is_there_already_is_no_change() -> None:
    (axis,) = axes(space(conv1__kernel=[9, 5], digit_caps__bias=[False]), load_variant("paper"))
    assert options(axis) == [{}, {"conv1.kernel": 5}]


def test_a_table_and_its_parts_share_an_axis_and_are_not_changed_together() -> None:
    (axis,) = axes(space(decoder=["none"], decoder__input=["selected"], decoder__hidden=[[5]]), load_variant("paper"))
    assert axis.knobs == ("decoder", "decoder.input", "decoder.hidden")
    assert options(axis) == [
        {},
        {"decoder.hidden": [5]},
        {"decoder.input": "selected"},
        {"decoder.input": "selected", "decoder.hidden": [5]},
        {"decoder": "none"},
    ]


def test_a_convention_is_there_only_where_it_makes_a_difference() -> None:
    """Frozen values can be counted only where the logits are frozen."""
    mine = Space(
        "", "capsnet", "", (knob("digit_caps.logits", "trainable", "frozen"), knob("counting.frozen", "counted"))
    )
    (axis,) = axes(mine, load_variant("paper"))
    assert options(axis) == [
        {},
        {"digit_caps.logits": "trainable"},
        {"digit_caps.logits": "frozen"},
        {"digit_caps.logits": "frozen", "counting.frozen": "counted"},
    ]
    assert axes(Space("", "capsnet", "", (knob("counting.frozen", "counted"),)), load_variant("paper")) == ()


def test_parts_of_a_table_that_is_not_there_are_no_axes() -> None:
    assert axes(space(decoder__input=["selected"]), load_variant("paper-no-decoder")) == ()


def test_rounding_is_no_axis() -> None:
    assert not {*READINGS} & {
        knob for axis in axes(load_space("capsnet"), load_variant("paper")) for knob in axis.knobs
    }


def test_a_figure_may_be_printed_otherwise_where_the_space_says_so() -> None:
    found = {change.knob: change.after for change in readings(load_space("capsnet"))}
    assert found == {ROUNDING: "cut", THOUSANDS: "1024"}
    assert list(readings(space(conv1__kernel=[5]))) == []
    assert list(readings(Space("", "capsnet", "", (knob(ROUNDING, "half up"),)))) == []


def test_changes_are_applied_to_the_network_and_conventions_to_the_count() -> None:
    paper = load_variant("paper").spec
    made = [
        KnobChange(knob="counting.biases", before="counted", after="left out"),
        KnobChange(knob="decoder.hidden", before=[512, 1024], after=[5]),
        KnobChange(knob="image.size", before=28, after=36),
    ]
    spec, counting = applied(paper, made)
    assert counting == {"counting.biases": "left out"}
    # 20,992 + 5,308,672 + 3200·1280 + 161·5 + 6·1296
    assert total(spec) == 20_992 + 5_308_672 + 4_096_000 + 161 * 5 + 6 * 1296
    assert applied(paper, []) == (paper, {})


def test_a_whole_table_is_applied_before_its_parts() -> None:
    made = [
        KnobChange(knob="decoder.input", before=None, after="selected"),
        KnobChange(knob="decoder", before="none", after={"hidden": [5], "input": "masked"}),
    ]
    spec, _ = applied(load_variant("paper-no-decoder").spec, made)
    assert spec == load_variant("paper", settings=["decoder.hidden=[5]", "decoder.input=selected"]).spec


def test_a_space_of_another_family_is_refused() -> None:
    with pytest.raises(CapsauditError, match=r"of the family 'capsnet', and baseline-mnist is a 'baseline'"):
        axes(space(conv1__kernel=[5]), load_variant("baseline-mnist"))


def test_everything_that_does_not_fit_the_variant_is_reported_at_once() -> None:
    with pytest.raises(FileError) as caught:
        axes(space(conv1__kernle=[5], conv1__stride=[0], image__size=[36], image__width=[36]), load_variant("paper"))
    assert len(caught.value.faults) == 3
    assert all(fault.startswith("mine.toml: ") for fault in caught.value.faults)


def decoders(alternatives: int) -> Space:
    """Two knobs that interact, each with so many alternatives beside what is there."""
    numbers = range(1, alternatives + 1)
    tables = knob("decoder", *({"hidden": [n], "input": "masked"} for n in numbers))
    return Space("", "capsnet", "", (tables, knob("decoder.hidden", *([n] for n in numbers))))


def test_too_many_combinations_of_knobs_that_interact_are_refused() -> None:
    """316·316 = 99,856, and 317·317 = 100,489."""
    assert 316 * 316 < LARGEST_AXIS < 317 * 317
    (axis,) = axes(decoders(315), load_variant("paper"))
    assert len(axis) == 1 + 315 + 315  # a table and a part of it are not changed together
    with pytest.raises(
        CapsauditError, match=r"decoder, decoder\.hidden depend on each other and have more than 100,000 combinations"
    ):
        axes(decoders(316), load_variant("paper"))


def test_a_change_keeps_what_it_assumes_and_where_it_comes_from() -> None:
    alternative = Alternative(36, 2, "MultiMNIST", same_count="image.width = 46")
    (axis,) = axes(Space("", "capsnet", "", (Knob("image.size", (alternative,)),)), load_variant("paper"))
    ((change,),) = axis.options[1:]
    assert change == KnobChange(
        knob="image.size", before=28, after=36, assumption_cost=2, source="MultiMNIST", same_count="image.width = 46"
    )
