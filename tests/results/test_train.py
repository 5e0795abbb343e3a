"""Results of training are frozen, and looked at: they agree with nothing and disagree with nothing."""

import pytest

from capsaudit.results import Result
from tests.render import samples
from tests.results.frozen import assert_frozen


@pytest.mark.parametrize(
    "result", [samples.training_run(), samples.training_estimate()], ids=lambda r: type(r).__name__
)
def test_results_are_frozen(result: Result) -> None:
    assert_frozen(result)
