"""The protocol: the defaults of the paper and of its code, and settings that cannot be."""

from typing import Any

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.train.protocol import Protocol
from capsaudit.train.schedule import Schedule, to_floor


def test_defaults_are_those_of_the_paper_and_of_the_released_code() -> None:
    """Released code: batches of 128, 0.001 × 0.96 every 2000 steps, not below 1e-6. Paper: 0.0005 times the squared differences."""
    found = Protocol(epochs=1)
    assert (found.batch_size, found.learning_rate, found.reconstruction_weight) == (128, 0.001, 0.0005)
    assert (found.margin, found.reconstruction, found.decay_to_floor) == (True, True, False)
    assert found.schedule(10) == Schedule(rate=0.001, decay=0.96, decay_steps=2000, floor=1e-6, warm_up_steps=40)


def test_the_rate_decays_to_the_floor_where_that_is_asked_for() -> None:
    found = Protocol(epochs=1, decay_to_floor=True, learning_rate=0.01, rate_floor=1e-4, warm_up_steps=3)
    assert found.schedule(50) == to_floor(50, rate=0.01, floor=1e-4, warm_up_steps=3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs is 0; expected at least 1"),
        ({"seed": -1}, "seed is -1; expected at least 0"),
        ({"batch_size": 0}, "batch_size is 0; expected at least 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; expected at least 0"),
        ({"decay": 0.0}, "decay is 0.0; expected a number above 0, at most 1, such as 0.96"),
        ({"decay_steps": 0}, "decay_steps is 0; expected at least 1"),
        ({"rate_floor": -1.0}, "rate_floor is -1.0; expected at least 0"),
        ({"decay_to_floor": True, "rate_floor": 0.0}, "rate_floor is 0.0; expected a number above 0"),
        ({"warm_up_steps": -1}, "warm_up_steps is -1; expected at least 0"),
        ({"shift": -1}, "shift is -1; expected at least 0"),
        ({"validation": -1}, "validation is -1; expected at least 0"),
        ({"reconstruction_weight": float("inf")}, "reconstruction_weight is inf; expected at least 0"),
        ({"margin": False, "reconstruction": False}, "margin and reconstruction are both false"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CapsauditError, match=message):
        Protocol(**({"epochs": 1} | settings))


def test_all_faults_are_reported_together() -> None:
    with pytest.raises(CapsauditError) as caught:
        Protocol(epochs=0, decay=2.0)
    assert len(caught.value.faults) == 2
