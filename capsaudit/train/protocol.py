"""How a run trains: the paper's protocol by default, the released code's settings where the paper is silent. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.train.schedule import DECAY, DECAY_STEPS, FLOOR, RATE, WARM_UP_STEPS, Schedule, to_floor

HELD_OUT_SHARE = 12
"""One of so many training images is held out for validation by default: 5,000 of MNIST's 60,000."""


class Protocol(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a run trains.

    Args:
        epochs: Passes over the training images.
        seed: It alone decides the initial weights, the order of the images and their shifts.
        batch_size: Images per step (released code: 128). Images that fill no batch are left out of an epoch, other ones in each.
        learning_rate: Adam's, the peak of the schedule (released code: 0.001).
        decay: The factor of the rate after each `decay_steps` steps, exponential in between (released code: 0.96 and 2000).
        decay_steps: See `decay`.
        rate_floor: The rate does not decay below it (released code: 1e-6).
        decay_to_floor: The rate decays exponentially from the peak to the floor over the run, in place of `decay` and `decay_steps`.
        warm_up_steps: The rate rises linearly over the first steps. Neither the paper nor the released code says so.
        shift: Training images are shifted by up to so many pixels (paper, section 5: 2; of two digits, section 6.1: 4). None: these.
        validation: Images held out of the training images, the last ones. None: a twelfth. 0: none, and no epoch is chosen.
        margin: Whether the margin loss counts (paper, section 3).
        reconstruction: Whether the reconstruction loss counts (paper, section 4.1).
        reconstruction_weight: The factor of the sum of squared differences (paper, section 4.1: 0.0005).

    Raises:
        CapsauditError: a setting is out of range.
    """

    epochs: int
    seed: int = 0
    batch_size: int = 128
    learning_rate: float = RATE
    decay: float = DECAY
    decay_steps: int = DECAY_STEPS
    rate_floor: float = FLOOR
    decay_to_floor: bool = False
    warm_up_steps: int = WARM_UP_STEPS
    shift: int | None = None
    validation: int | None = None
    margin: bool = True
    reconstruction: bool = True
    reconstruction_weight: float = 0.0005

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise CapsauditError(*faults)

    def _faults(self) -> Iterator[str]:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= least):
                yield f"{name} is {value}; expected at least {least}"
        if not 0 < self.decay <= 1:
            yield f"decay is {self.decay}; expected a number above 0, at most 1, such as {DECAY}"
        if self.decay_to_floor and self.rate_floor <= 0:
            yield f"rate_floor is {self.rate_floor}; expected a number above 0, which the rate can decay to"
        if not (self.margin or self.reconstruction):
            yield "margin and reconstruction are both false; expected at least one loss to train with"

    def schedule(self, steps: int) -> Schedule:
        """The learning rate of each of so many steps."""
        common = {"rate": self.learning_rate, "floor": self.rate_floor, "warm_up_steps": self.warm_up_steps}
        if self.decay_to_floor:
            return to_floor(steps, **common)  # type: ignore[arg-type]
        return Schedule(decay=self.decay, decay_steps=self.decay_steps, **common)  # type: ignore[arg-type]


_LEAST = {
    "epochs": 1,
    "seed": 0,
    "batch_size": 1,
    "learning_rate": 0,
    "decay_steps": 1,
    "rate_floor": 0,
    "warm_up_steps": 0,
    "shift": 0,
    "validation": 0,
    "reconstruction_weight": 0,
}
