"""From plain data to structs: every fault at once, each with its path and what would have worked."""

from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from capsaudit.errors import CapsauditError
from capsaudit.spec import Image
from capsaudit.validation import Fault, expect_known, faults_of, nearest, shown


class Inner(Struct, frozen=True, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1, le=2**63 - 1, description="a positive integer")]
    kind: Literal["a", "b"] = "a"


class Outer(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    inner: Inner
    optional: Inner | None = None
    items: tuple[Inner, ...] = ()
    named: dict[str, int] = {}
    sizes: Annotated[tuple[int, ...], Meta(description="a list of integers")] = ()


def messages(data: object) -> dict[str, str]:
    value, faults = faults_of(data, Outer)
    assert (value is None) == bool(faults)
    return {fault.path: fault.message for fault in faults}


GOOD = {"name": "x", "inner": {"size": 1}}


def test_good_data_become_a_value() -> None:
    value, faults = faults_of(GOOD | {"items": [{"size": 2}], "named": {"a": 1}, "sizes": [3]}, Outer)
    assert faults == ()
    assert value == Outer("x", Inner(1), None, (Inner(2),), {"a": 1}, (3,))


def test_an_absent_table_may_be_written_as_none() -> None:
    value, faults = faults_of(GOOD | {"optional": "none"}, Outer)
    assert (value, faults) == (Outer("x", Inner(1)), ())


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"inner": {"size": 0}}, "inner.size", "is 0; expected a positive integer"),
        ({"inner": {"size": "1"}}, "inner.size", 'is "1"; expected a positive integer'),
        ({"inner": {"size": True}}, "inner.size", "is true; expected a positive integer"),
        ({"inner": {"size": 1.0}}, "inner.size", "is 1.0; expected a positive integer"),
        ({"inner": {"size": 10**30}}, "inner.size", f"is {10**30}; expected a positive integer"),
        ({"inner": {}}, "inner.size", "is missing; expected a positive integer"),
        ({"inner": {"size": 1, "knid": "a"}}, "inner.knid", "is unknown; did you mean 'kind'?"),
        ({"inner": 5}, "inner", "is 5; expected a table with size, kind"),
        ({"optional": "nothing"}, "optional", 'is "nothing"; expected a table with size, kind'),
        ({"items": [{"size": 1}, {"size": 0}]}, "items.2.size", "is 0; expected a positive integer"),
        ({"items": 5}, "items", "is 5; expected a list"),
        ({"named": {"a": "x"}}, "named.a", 'is "x"; expected an integer'),
        ({"sizes": [1, "x"]}, "sizes.2", 'is "x"; expected an integer'),
        ({"sizes": "x"}, "sizes", 'is "x"; expected a list of integers'),
        ({"name": 5}, "name", "is 5; expected a string"),
        ({"nmae": "y"}, "nmae", "is unknown; did you mean 'name'?"),
    ],
)
def test_one_fault(change: dict[str, object], path: str, message: str) -> None:
    assert messages(GOOD | change) == {path: message}


def test_every_fault_is_found_at_once() -> None:
    data = {"nmae": "x", "inner": {"size": 0}, "items": [{"size": "a"}], "named": {"k": None}}
    assert set(messages(data)) == {"nmae", "name", "inner.size", "items.1.size", "named.k"}


def test_what_is_no_table_at_all() -> None:
    assert messages([1]) == {"": "is [1]; expected a table with name, inner, optional, items, named, sizes"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["name", "inner", "size", "items", "x", "optional"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_any_data_are_a_value_or_have_faults_exactly_where_msgspec_refuses_them(data: object) -> None:
    """A word for an absent table is the one thing that msgspec does not know."""
    value, faults = faults_of(data, Outer)
    try:
        assert value == msgspec.convert(data, Outer)
        assert faults == ()
    except msgspec.ValidationError:
        assert value is None or "none" in str(data)
        assert bool(faults) == (value is None)


def test_the_nearest_name_or_all_of_them() -> None:
    assert nearest("papr", ["paper", "article"]) == "did you mean 'paper'?"
    assert nearest("zzz", ["paper", "article"]) == "expected one of: article, paper"


def test_a_name_that_is_known_passes_and_another_is_refused() -> None:
    expect_known("witness", "torch", ("formula", "torch"))
    with pytest.raises(CapsauditError, match=r"^no witness 'troch'; did you mean 'torch'\?$"):
        expect_known("witness", "troch", ("formula", "torch"))


def test_values_are_shown_as_toml_writes_them_and_not_longer_than_a_line() -> None:
    assert (shown("nine"), shown(True), shown([1, "é"])) == ('"nine"', "true", '[1, "é"]')
    assert len(shown("x" * 1000)) == 60
    assert shown("x" * 1000).endswith("…")
    assert shown(object()).startswith('"<object')


def test_faults_of_a_spec_name_the_knob_and_what_it_may_be() -> None:
    assert faults_of({"channels": 1, "height": -1, "width": 28}, Image) == (
        None,
        (Fault("height", "is -1; expected a positive integer below 2^63"),),
    )
