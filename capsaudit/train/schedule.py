"""The rate of each step: it rises over the first steps, then decays exponentially (released code: ×0.96 every 2000 steps, not below 1e-6).

Neither the paper nor the released code lets it rise. Without that the first step of the 36×36 network, where 3200 capsules push the
same way, drives all class capsules to a length of 1, and none of them ever comes back.
"""

from __future__ import annotations

from msgspec import Struct

RATE = 0.001
"""Adam's default, which the paper uses."""
DECAY, DECAY_STEPS, FLOOR = 0.96, 2000, 1e-6
WARM_UP_STEPS = 40


class Schedule(Struct, frozen=True, kw_only=True):
    """The learning rate as a function of the step, counted from 0.

    >>> schedule = Schedule()
    >>> [schedule.at(step) for step in (0, 19, 39)], round(schedule.at(2000), 6)
    ([2.5e-05, 0.0005, 0.001], 0.00096)
    """

    rate: float = RATE
    decay: float = DECAY
    decay_steps: int = DECAY_STEPS
    floor: float = FLOOR
    warm_up_steps: int = WARM_UP_STEPS

    def at(self, step: int) -> float:
        """The rate of a step. A rate below the floor stays as it is."""
        rising = (step + 1) / self.warm_up_steps if step < self.warm_up_steps else None
        share = self.decay ** (step / self.decay_steps) if rising is None else rising
        return max(self.rate * share, min(self.rate, self.floor))


def to_floor(steps: int, *, rate: float = RATE, floor: float = FLOOR, warm_up_steps: int = WARM_UP_STEPS) -> Schedule:
    """The schedule that decays from the rate to the floor over a run of so many steps.

    >>> schedule = to_floor(101, floor=1e-5)
    >>> round(schedule.at(50), 9), round(schedule.at(100), 9)
    (0.0001, 1e-05)
    """
    decay = floor / rate if rate > floor else 1.0
    return Schedule(rate=rate, decay=decay, decay_steps=max(steps - 1, 1), floor=floor, warm_up_steps=warm_up_steps)
