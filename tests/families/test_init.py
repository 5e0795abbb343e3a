"""What every family answers, for each shipped variant, against totals worked out by hand."""

import math
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given

from capsaudit.catalogue import load_variant
from capsaudit.families import (
    FAMILIES,
    UNCOUNTED_KNOBS,
    _merged,
    family_of,
    impossible,
    layer_rank,
    layers,
    sides,
    total,
)
from capsaudit.knobs import flatten, to_data
from capsaudit.spec import Spec
from tests.expected import BUFFERS, FROZEN, TOTALS
from tests.strategies import specs


@pytest.mark.parametrize(("variant", "parameters"), TOTALS.items())
def test_totals(variant: str, parameters: int) -> None:
    spec = load_variant(variant).spec
    assert total(spec) == parameters
    assert sum(row.formula.value for row in layers(spec)) == parameters
    assert sum(p.count for row in layers(spec) for p in row.parameters if p.trainable) == parameters


@pytest.mark.parametrize("variant", TOTALS)
def test_what_is_stored_beside_the_trainable_values(variant: str) -> None:
    rows = layers(load_variant(variant).spec)
    assert sum(row.frozen_formula.value for row in rows if row.frozen_formula) == FROZEN.get(variant, 0)
    assert sum(buffer.count for row in rows for buffer in row.buffers) == BUFFERS.get(variant, 0)


@pytest.mark.parametrize("variant", TOTALS)
def test_buffers_and_what_is_computed_are_not_trained(variant: str) -> None:
    rows = layers(load_variant(variant).spec)
    assert not any(tensor.trainable for row in rows for tensor in (*row.buffers, *row.computed))


@pytest.mark.parametrize("variant", TOTALS)
def test_layers_follow_each_other_from_the_image_to_the_classes(variant: str) -> None:
    """Each layer takes what the one before it gives; a decoder takes the class capsules, masked or one of them."""
    spec = load_variant(variant).spec
    rows = [row for row in layers(spec) if not row.decoder]
    assert rows[0].input_shape == (spec.image.channels, spec.image.height, spec.image.width)
    for before, after in pairwise(rows):
        flat = after.name.startswith("fc") and len(before.output_shape) > 1
        assert after.input_shape == ((math.prod(before.output_shape),) if flat else before.output_shape)
    assert rows[-1].output_shape[0] == family_of(spec).classes(spec)


@pytest.mark.parametrize("variant", TOTALS)
def test_a_family_knows_its_own_knobs_and_layers(variant: str) -> None:
    spec = load_variant(variant).spec
    family = family_of(spec)
    assert family is FAMILIES[family.name]
    groups = {knob.partition(".")[0] for knob in flatten(to_data(spec))}
    assert groups == set(family.knob_order)  # `explain` has a place for each
    assert {row.name.rstrip("0123456789") for row in layers(spec)} <= set(family.layer_order)
    assert family.uncounted_knobs <= flatten(to_data(spec)).keys()


@given(specs())
def test_a_knob_that_is_not_counted_changes_no_count_and_no_shape(spec: Spec) -> None:
    for knob in UNCOUNTED_KNOBS & flatten(to_data(spec)).keys():
        table, _, name = knob.partition(".")
        old = getattr(spec, table)
        changed = msgspec.structs.replace(old, **{name: another(getattr(old, name))})
        after = msgspec.structs.replace(spec, **{table: changed})
        assert after != spec
        assert layers(after) == layers(spec)


def another(value: Any) -> object:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return 0.25
        case _:
            return "last" if value == "all" else "all"


@given(specs())
def test_sides_are_positive_where_a_network_is_possible(spec: Spec) -> None:
    assert impossible(spec) is None
    assert all(side >= 1 for pair in sides(spec) for side in pair)


def test_a_side_is_not_positive_where_a_network_is_impossible() -> None:
    spec = load_variant("paper").spec
    small = msgspec.structs.replace(spec, image=msgspec.structs.replace(spec.image, height=8, width=8))
    assert impossible(small) == "conv1.kernel (=9) is larger than its input (=8×8)"
    assert min(side for pair in sides(small) for side in pair) < 1


def test_a_kind_that_is_new_follows_what_it_follows_in_its_own_family() -> None:
    """Also where that is nothing, or the end."""
    orders = [("conv", "fc"), ("image", "conv", "pool", "fc", "softmax")]
    assert _merged(orders) == ["image", "conv", "pool", "fc", "softmax"]
    assert _merged(orders[::-1]) == ["image", "conv", "pool", "fc", "softmax"]


def test_layers_of_all_families_have_one_order() -> None:
    names = ["fc10", "fc2", "digit_caps", "conv2", "fc1", "primary_caps", "conv10", "conv1"]
    expected = ["conv1", "conv2", "conv10", "primary_caps", "digit_caps", "fc1", "fc2", "fc10"]
    assert sorted(names, key=layer_rank) == expected


@pytest.mark.parametrize("variant", TOTALS)
def test_families_name_the_kinds_of_their_layers_in_their_order(variant: str) -> None:
    spec = load_variant(variant).spec
    kinds = list(dict.fromkeys(row.name.rstrip("0123456789") for row in layers(spec)))
    order = family_of(spec).layer_order
    assert [kind for kind in order if kind in kinds] == kinds
