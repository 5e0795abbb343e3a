"""A plan: its bounds, and that it needs no torch."""

import subprocess
import sys

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.train.plan import Plan


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps is 0; expected at least 1"),
        ({"batch_size": 0}, "batch_size is 0; expected at least 1"),
        ({"seed": -1}, "seed is -1; expected at least 0"),
        ({"rate": -0.1}, "the learning rate is -0.1"),
        ({"rate": float("nan")}, "the learning rate is nan"),
        ({"rate": float("inf")}, "the learning rate is inf"),
    ],
)
def test_what_is_out_of_range_is_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        Plan(**settings)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(CapsauditError) as caught:
        Plan(steps=0, batch_size=0)
    assert len(caught.value.faults) == 2


def test_the_least_values_are_allowed() -> None:
    assert Plan(steps=1, batch_size=1, seed=0, rate=0.0).rate == 0


def test_a_plan_needs_no_torch() -> None:
    code = "import sys, capsaudit; capsaudit.Plan(steps=10); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
