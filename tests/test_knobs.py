"""Knobs by name: flattening, changing, comparing and parsing them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsaudit.catalogue import load_variant
from capsaudit.errors import CapsauditError
from capsaudit.families import FAMILIES
from capsaudit.knobs import (
    IMAGE_SIZE,
    KnobChange,
    changed,
    changes,
    counted_changes,
    flatten,
    known_knobs,
    merged,
    parse_setting,
    to_data,
)
from capsaudit.spec import Spec
from capsaudit.validation import faults_of
from tests.strategies import specs

DATA = {"image": {"height": 28, "width": 28}, "layers": [{"kernel": 5}, {"kernel": 3}], "decoder": "none"}


def test_tables_as_one_flat_dict() -> None:
    assert flatten(DATA) == {
        "image.height": 28,
        "image.width": 28,
        "layers.1.kernel": 5,
        "layers.2.kernel": 3,
        "decoder": "none",
    }
    assert flatten({"hidden": (512, 1024), "layers": ()}) == {"hidden": [512, 1024], "layers": []}


def test_a_change_leaves_the_original_as_it_was() -> None:
    after = changed(DATA, "layers.2.kernel", 9)
    assert after["layers"] == [{"kernel": 5}, {"kernel": 9}]
    assert DATA["layers"] == [{"kernel": 5}, {"kernel": 3}]
    assert changed(DATA, "layers.1", {"kernel": 1})["layers"] == [{"kernel": 1}, {"kernel": 3}]
    assert changed(DATA, "decoder.hidden", [5])["decoder"] == {"hidden": [5]}  # a table where there was a word


def test_the_image_size_is_both_sides_or_a_pair() -> None:
    assert changed(DATA, IMAGE_SIZE, 36)["image"] == {"height": 36, "width": 36}
    assert changed(DATA, IMAGE_SIZE, [36, 40])["image"] == {"height": 36, "width": 40}


@pytest.mark.parametrize("item", ["0", "3", "one", "-1"])
def test_items_of_a_list_are_numbered_from_one(item: str) -> None:
    with pytest.raises(CapsauditError, match=rf"there is no item '{item}' in a list of 2; items are numbered from 1"):
        changed(DATA, f"layers.{item}.kernel", 9)


def test_a_child_is_merged_knob_by_knob() -> None:
    child = {"image": {"height": 36}, "layers": [{"kernel": 1}], "decoder": {"hidden": [5]}}
    assert merged(DATA, child) == {
        "image": {"height": 36, "width": 28},
        "layers": [{"kernel": 1}],  # a list is replaced whole
        "decoder": {"hidden": [5]},
    }


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param("paper", "paper", {}, id="nothing"),
        pytest.param("paper", "multimnist", {"image.size": (28, 36)}, id="both sides are one knob"),
        pytest.param("paper", "released-code", {"digit_caps.bias": (False, True)}, id="one"),
        pytest.param("paper", "selected-decoder", {"decoder.input": ("masked", "selected")}, id="part of a table"),
    ],
)
def test_what_differs_between_shipped_variants(start: str, end: str, expected: dict[str, Any]) -> None:
    found = changes(load_variant(start).spec, load_variant(end).spec)
    assert {change.knob: (change.before, change.after) for change in found} == expected


def test_lists_of_different_lengths_are_one_knob() -> None:
    found = changes(load_variant("baseline-mnist").spec, load_variant("baseline-multimnist").spec)
    lists = {change.knob: (len(change.before), len(change.after)) for change in found if change.knob == "layers"}
    assert lists == {"layers": (3, 2)}
    assert not any(change.knob.startswith("layers.") for change in found)


def test_a_decoder_that_only_one_of_them_has_is_one_knob() -> None:
    (change,) = changes(load_variant("paper").spec, load_variant("paper-no-decoder").spec)
    assert (change.knob, change.after) == ("decoder", "none")
    assert change.before == {"hidden": (512, 1024), "input": "masked"}


def test_sides_that_differ_by_themselves_stay_two_knobs() -> None:
    paper = load_variant("paper").spec
    wide = load_variant("paper", settings=["image.width=36"]).spec
    assert [(change.knob, change.after) for change in changes(paper, wide)] == [("image.width", 36)]
    both = load_variant("paper", settings=["image.height=32", "image.width=36"]).spec
    assert {change.knob for change in changes(paper, both)} == {"image.height", "image.width"}


def test_another_family_is_one_knob_beside_the_image() -> None:
    found = changes(load_variant("multimnist").spec, load_variant("baseline-mnist").spec)
    assert [(c.knob, c.before, c.after) for c in found] == [("image.size", 36, 28), ("family", "capsnet", "baseline")]


def test_knobs_that_no_count_depends_on_are_left_out_of_counted_changes() -> None:
    paper = load_variant("paper").spec
    other = load_variant("paper", settings=["digit_caps.iterations=1", "conv1.bias=false"]).spec
    assert [change.knob for change in changes(paper, other)] == ["conv1.bias", "digit_caps.iterations"]
    assert [change.knob for change in counted_changes(paper, other)] == ["conv1.bias"]


@given(specs(), specs())
def test_applying_all_differences_gives_the_other_network(before: Spec, after: Spec) -> None:
    """Of one family; a whole table is changed before its parts."""
    if type(before) is not type(after):
        assert changes(before, after)[-1].knob == "family"
        return
    data = to_data(before)
    for change in changes(before, after):
        data = changed(data, change.knob, change.after)
    assert faults_of(data, type(after)) == (after, ())
    assert changes(after, after) == ()


@pytest.mark.parametrize(
    ("text", "knob", "value"),
    [
        ("image.height=36", "image.height", 36),
        (" image.height = 36 ", "image.height", 36),
        ("decoder=none", "decoder", "none"),
        ("conv1.padding='same'", "conv1.padding", "same"),
        ("decoder.hidden=512,1024", "decoder.hidden", [512, 1024]),
        ("decoder.hidden=[]", "decoder.hidden", []),
        ("conv1.bias=true", "conv1.bias", True),
        ("fully_connected.dropout=0.5", "fully_connected.dropout", 0.5),
        ("conv1.kernel=", "conv1.kernel", ""),
        ("a=b=c", "a", "b=c"),
    ],
)
def test_settings_of_the_command_line(text: str, knob: str, value: object) -> None:
    found = parse_setting(text)
    assert found == (knob, value)
    assert type(found[1]) is type(value)


@pytest.mark.parametrize("text", ["conv1.kernel", "=9", " =9", ""])
def test_a_setting_without_a_knob_or_a_value_is_refused(text: str) -> None:
    with pytest.raises(CapsauditError, match=r"expected knob\.path=value, such as image\.height=36"):
        parse_setting(text)


@given(st.text(max_size=30))
def test_any_setting_is_read_or_refused(text: str) -> None:
    try:
        knob, _ = parse_setting(text)
    except CapsauditError:
        return
    assert knob == text.partition("=")[0].strip()


def test_known_knobs_are_single_knobs_and_tables() -> None:
    known = known_knobs(to_data(load_variant("baseline-mnist").spec))
    assert {"layers", "layers.1", "layers.1.kernel", "fully_connected", "padding", IMAGE_SIZE} <= known
    assert "layers.4" not in known


def test_a_change_says_from_and_to_in_json() -> None:
    """`before` and `after` are fields, `from` and `to` keys of the contract."""
    assert KnobChange.__struct_fields__[:3] == ("knob", "before", "after")
    assert KnobChange.__struct_encode_fields__[:3] == ("knob", "from", "to")


def test_every_family_is_a_value_of_the_knob_family() -> None:
    """`changes` names families as variant files do."""
    variants = {"capsnet": "paper", "baseline": "baseline-mnist"}
    assert variants.keys() <= FAMILIES.keys()
    (change,) = [c for c in changes(*(load_variant(v).spec for v in variants.values())) if c.knob == "family"]
    assert (change.before, change.after) == ("capsnet", "baseline")
