"""Knobs' values as people write them."""

import pytest

from capsaudit.knobs import KnobChange
from capsaudit.render.tables.base import changes, setting


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (28, "28"),
        (1024, "1,024"),
        (True, "true"),
        (False, "false"),
        ("same", "same"),
        (0.5, "0.5"),
        ([512, 1024], "512, 1,024"),
        ((), ""),
        ({}, "none"),
        ({"hidden": [512], "input": "masked"}, "hidden 512, input masked"),
        ([{"kernel": 5, "pool": 1}, {"kernel": 3, "pool": 2}], "kernel 5, pool 1; kernel 3, pool 2"),
        (None, "None"),
    ],
)
def test_a_value(value: object, text: str) -> None:
    assert setting(value) == text


def test_changes_with_their_values_before_and_after() -> None:
    made = [
        KnobChange(knob="image.size", before=28, after=36),
        KnobChange(knob="decoder", before={"hidden": [512]}, after="none"),
    ]
    assert changes(made) == "image.size 28 → 36; decoder → none"
    assert changes(made, "\n").splitlines() == ["image.size 28 → 36", "decoder → none"]
    assert changes([]) == ""
