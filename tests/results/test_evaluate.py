"""Evaluations are frozen, and looked at: they agree with nothing and disagree with nothing."""

import pytest

from capsaudit.results import Evaluation
from tests.render import samples
from tests.results.frozen import assert_frozen


@pytest.mark.parametrize("result", [samples.evaluation(), samples.evaluated_run()], ids=lambda result: result.variant)
def test_results_are_frozen(result: Evaluation) -> None:
    assert_frozen(result)
