"""Random numbers after an audit are those that would have come without it."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def same_randomness() -> Iterator[None]:
    """Put back the generators of Python, torch and, where somebody uses them, CUDA and numpy."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    numpy = sys.modules.get("numpy")
    before = random.getstate(), torch.get_rng_state(), numpy and numpy.random.get_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        torch.set_rng_state(before[1])
        if cuda:
            torch.cuda.set_rng_state_all(cuda)
        if numpy:
            numpy.random.set_state(before[2])
