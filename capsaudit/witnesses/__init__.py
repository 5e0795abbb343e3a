"""Witnesses: independent ways to count the same network. Each is one function from a spec to a `WitnessCount`; they share no counting
code, so that their agreement is evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from capsaudit.spec import Spec
from capsaudit.validation import expect_known
from capsaudit.witnesses.counts import LayerCount, TensorCount, WitnessCount

WITNESSES = ("formula", "torch", "torchinfo")

__all__ = ["WITNESSES", "LayerCount", "TensorCount", "WitnessCount", "expect_witnesses", "witness"]


def witness(name: str) -> Callable[[Spec], WitnessCount]:
    """The witness of this name; torch is imported only with those that need it."""
    expect_witnesses((name,))
    match name:
        case "torch":
            from capsaudit.witnesses.torch import count
        case "torchinfo":
            from capsaudit.witnesses.torchinfo import count
        case _:
            from capsaudit.witnesses.formula import count
    return count


def expect_witnesses(names: Iterable[str]) -> None:
    """Check the names of witnesses.

    Raises:
        CapsauditError: there is no such witness.
    """
    for name in names:
        expect_known("witness", name, WITNESSES)
