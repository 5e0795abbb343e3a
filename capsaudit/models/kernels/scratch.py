"""Buffers that live from one call to the next.

A fresh tensor of megabytes costs more than the arithmetic on it: the system hands out its pages one fault at a time. What a
kernel needs only while it runs comes from here. Nothing that outlives a call may.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import torch
from torch import Tensor

_buffers = threading.local()


def borrow(name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """An uninitialised tensor of this shape, of the type of `like`. The next caller of the same name gets the same memory."""
    buffers: dict[Any, Tensor] = _buffers.__dict__
    key = (name, like.dtype)
    size = math.prod(shape)
    if key not in buffers or buffers[key].numel() < size:
        buffers[key] = torch.empty(size, dtype=like.dtype)
    return buffers[key][:size].view(shape)


def release() -> None:
    """Give back all buffers of this thread."""
    _buffers.__dict__.clear()
