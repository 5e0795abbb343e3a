"""How a short run trains. Needs no torch, so that programs can make a plan without waiting for it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.train.schedule import RATE


class Plan(Struct, frozen=True, kw_only=True):
    """How a run trains: steps, images per step, the random seed, the peak learning rate, the two losses, and torch's name of a device.

    Raises:
        CapsauditError: a setting is out of range.
    """

    steps: int = 80
    batch_size: int = 32
    seed: int = 0
    rate: float = RATE
    margin: bool = True
    reconstruction: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise CapsauditError(*faults)

    def _faults(self) -> Iterator[str]:
        for name, least in (("steps", 1), ("batch_size", 1), ("seed", 0)):
            if getattr(self, name) < least:
                yield f"{name} is {getattr(self, name)}; expected at least {least}"
        if not (math.isfinite(self.rate) and self.rate >= 0):
            yield f"the learning rate is {self.rate}; expected a finite number that is not negative, such as 0.001"
