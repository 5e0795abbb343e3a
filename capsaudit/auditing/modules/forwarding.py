"""Run somebody's forward: whatever it raises becomes an error that can be shown, and nothing is compiled for one run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from capsaudit.errors import CapsauditError


def forwarded(module: nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
    """What the module returns, hooks included."""
    try:
        with _eager():
            return module(*inputs, **kwargs)
    except Exception as fault:
        raise CapsauditError(f"forward raised {type(fault).__name__}: {fault}") from fault


def _eager() -> AbstractContextManager[Any]:
    """A compiled module runs as it was written. Where the compiler is not imported, nothing is compiled, and importing it takes seconds."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()
