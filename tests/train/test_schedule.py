"""The rate of each step."""

import pytest

from capsaudit.train.schedule import DECAY, DECAY_STEPS, FLOOR, RATE, WARM_UP_STEPS, Schedule, to_floor


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, RATE / 40),  # the first of 40 steps up
        (19, RATE / 2),
        (39, RATE),
        (40, RATE * 0.96 ** (40 / 2000)),
        (2000, RATE * 0.96),
        (4000, RATE * 0.96**2),
        (10**7, 1e-6),  # the floor
    ],
)
def test_the_rate_rises_and_then_decays_as_the_released_code_has_it(step: int, rate: float) -> None:
    assert (RATE, DECAY, DECAY_STEPS, FLOOR, WARM_UP_STEPS) == (0.001, 0.96, 2000, 1e-6, 40)
    assert Schedule().at(step) == pytest.approx(rate, rel=1e-12)


def test_a_rate_of_zero_stays_zero() -> None:
    """The floor is no rate of its own."""
    assert [Schedule(rate=0.0).at(step) for step in (0, 50, 10**6)] == [0, 0, 0]


def test_no_steps_up_begin_at_the_full_rate() -> None:
    assert Schedule(warm_up_steps=0).at(0) == RATE


def test_the_rate_reaches_the_floor_in_the_last_step_of_a_run() -> None:
    """Half-way it is the geometric mean: √(1e-3 · 1e-6) = 10^−4.5."""
    schedule = to_floor(1001, rate=1e-3, floor=1e-6)
    assert schedule.at(500) == pytest.approx(10**-4.5, rel=1e-12)
    assert schedule.at(1000) == pytest.approx(1e-6, rel=1e-12)
    assert schedule.at(999) > schedule.at(1000)
    assert schedule.at(20) == pytest.approx(1e-3 * 21 / 40, rel=1e-12)


def test_a_rate_below_the_floor_stays_where_it_is() -> None:
    assert [to_floor(100, rate=1e-7).at(step) for step in (50, 99)] == [1e-7, 1e-7]
