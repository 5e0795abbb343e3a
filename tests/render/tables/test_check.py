"""The gate as a document."""

import msgspec
import pytest

from capsaudit.render.tables.check import check, failure_sentence
from capsaudit.results import Failure, Reason
from tests.render import samples
from tests.render.grids import column, rows


def test_what_holds_is_counted() -> None:
    shown = check(samples.check())
    checked = samples.check().checked
    assert shown.title == "check: agrees"
    assert shown.sentences == (f"{checked} of {checked} statements about 2 variants hold.",)
    assert shown.table("failures").rows == ()


def test_what_does_not_hold_is_a_row_each() -> None:
    result = samples.failed_check()
    shown = check(result)
    table = shown.table("failures")
    assert shown.title == "check: disagrees"
    assert len(table.rows) == len(result.failures)
    assert ["wrong", "conv1", "trainable", "20,992", "12,800"] in rows(table)
    assert ["wrong", "conv1", "output shape", "256×20×20", "256×22×22"] in rows(table)
    assert shown.sentences == (
        f"{result.checked - len(result.failures)} of {result.checked} statements about 1 variant hold.",
    )


@pytest.mark.parametrize(
    ("expected", "found", "sentence"),
    [
        (20_992, 12_800, "x: expected 20,992, found 12,800"),
        ((256, 20), (256, 22), "x: expected 256×20, found 256×22"),
        (((1, 28), (10,)), None, "x: expected 1×28 → 10, found None"),
        ("8.2M", 5, "x: expected 8.2M, found 5"),
        (True, False, "x: expected True, found False"),
        (
            "agree",
            (Reason("unknown layer", {"layer": "fc9"}),),
            "x: expected agree, found fc9: the formula has no such layer",
        ),
    ],
)
def test_a_failure_in_one_sentence(expected: object, found: object, sentence: str) -> None:
    failure = Failure(variant="mine", layer=None, what="x", expected=expected, found=found)
    assert failure_sentence(failure) == sentence


def test_a_failure_about_the_whole_network_has_no_layer() -> None:
    failure = msgspec.structs.replace(samples.failed_check().failures[0], layer=None)
    result = msgspec.structs.replace(samples.failed_check(), failures=(failure,))
    assert column(check(result).table("failures"), "layer") == ["—"]
