"""The settings that families share."""

from collections.abc import Iterator

import msgspec
import pytest

from capsaudit.families import FAMILIES
from capsaudit.spec import LARGEST_SIZE, Convolution, Decoder, Image, Settings, Spec
from capsaudit.validation import faults_of


def groups(kind: type[Settings] = Settings) -> Iterator[type[Settings]]:
    for each in kind.__subclasses__():
        yield each
        yield from groups(each)


@pytest.mark.parametrize("kind", sorted(set(groups()), key=str), ids=lambda kind: kind.__name__)
def test_no_knob_has_a_default(kind: type[Settings]) -> None:
    """Every value stands in a variant file, beside its source."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    assert info.forbid_unknown_fields
    assert info.fields
    assert all(field.required for field in info.fields)


def test_the_groups_of_every_family_are_among_them() -> None:
    """Without this the test above could pass on an empty list."""
    assert {family.spec for family in FAMILIES.values()} | {Image, Convolution, Decoder, Spec} <= set(groups())


def test_a_decoder_takes_all_class_capsules_or_the_one_that_is_selected() -> None:
    assert Decoder(hidden=(), input="masked").inputs(classes=10, dimension=16) == 160
    assert Decoder(hidden=(), input="selected").inputs(classes=10, dimension=16) == 16


@pytest.mark.parametrize(("size", "accepted"), [(1, True), (LARGEST_SIZE, True), (0, False), (LARGEST_SIZE + 1, False)])
def test_sizes_are_those_that_a_tensor_can_have(size: int, accepted: bool) -> None:
    image, faults = faults_of({"channels": size, "height": 1, "width": 1}, Image)
    assert (image is not None) == accepted == (not faults)


@pytest.mark.parametrize(
    ("padding", "accepted"), [("valid", True), ("same", True), (0, True), (-1, False), ("full", False)]
)
def test_padding_is_a_word_or_a_number_of_pixels(padding: object, accepted: bool) -> None:
    table = {"channels": 1, "kernel": 1, "stride": 1, "padding": padding, "bias": True}
    assert (faults_of(table, Convolution)[0] is not None) == accepted


def test_specs_can_be_hashed_and_compared() -> None:
    """The search and the recognisers keep them in caches."""
    one, same = (Image(channels=1, height=28, width=28) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert msgspec.structs.replace(one, height=36) != one
