"""Every text of a result is escaped, at once or one by one; what is safe already is not made anew."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from capsaudit.render.escaping import with_escapes
from capsaudit.results import Reason
from capsaudit.text import escaped
from tests.render.samples import audit

TEXTS = st.text(st.sampled_from(":#ab\\\"',[]{} \n\x1b\u202e\u200b\ud800é"), max_size=6)
VALUES = st.recursive(
    TEXTS | st.integers(0, 9) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def one_by_one(value: Any) -> Any:
    if isinstance(value, dict):
        return {one_by_one(key): one_by_one(item) for key, item in value.items()}
    if isinstance(value, list):
        return [one_by_one(item) for item in value]
    return escaped(value) if isinstance(value, str) else value


@given(VALUES)
def test_all_texts_are_escaped_keys_too(value: Any) -> None:
    assert with_escapes(value) == one_by_one(value)


def test_structs_and_tuples_keep_their_types() -> None:
    reasons = (Reason("unreachable", {"tensors": ["a\n"], "count": 1}),)
    assert with_escapes(reasons) == (Reason("unreachable", {"tensors": [r"a\n"], "count": 1}),)


def test_a_result_without_unsafe_names_is_left_alone() -> None:
    assert with_escapes(audit().tensors) is audit().tensors
