"""Witnesses: independent ways to count the same network. Each is one function from a spec to a `Testimony`; they share no counting
code, and their agreement is the audit.
"""

from __future__ import annotations

from collections.abc import Callable

from capsaudit.spec import Spec
from capsaudit.witnesses.counts import SeenLayer, SeenParameter, Testimony

WITNESSES = ("formula", "torch", "torchinfo")

__all__ = ["WITNESSES", "SeenLayer", "SeenParameter", "Testimony", "witness"]


def witness(name: str) -> Callable[[Spec], Testimony]:
    """The witness of this name; torch is imported only with those that need it."""
    match name:
        case "formula":
            from capsaudit.witnesses.formula import testify
        case "torch":
            from capsaudit.witnesses.torch import testify
        case "torchinfo":
            from capsaudit.witnesses.torchinfo import testify
        case _:
            raise ValueError(name)
    return testify
