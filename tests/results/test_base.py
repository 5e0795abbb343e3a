"""What all results share."""

import msgspec
import pytest

from capsaudit.results.base import SCHEMA, Reason, reason
from tests.render.samples import SAMPLES
from tests.results.frozen import assert_frozen


def test_a_reason_has_its_values_by_name() -> None:
    assert reason("total", exact=5) == Reason("total", {"exact": 5})
    assert_frozen(reason("total", exact=5))


@pytest.mark.parametrize("name", SAMPLES)
def test_results_are_frozen(name: str) -> None:
    assert_frozen(SAMPLES[name]())


@pytest.mark.parametrize("name", SAMPLES)
def test_every_result_carries_the_version_of_its_keys(name: str) -> None:
    assert SAMPLES[name]().schema == SCHEMA == 2


@pytest.mark.parametrize("name", SAMPLES)
def test_equal_results_are_equal_values(name: str) -> None:
    result = SAMPLES[name]()
    assert msgspec.structs.replace(result) == result
    assert msgspec.structs.replace(result, schema=1) != result
