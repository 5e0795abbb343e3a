"""Losses as a source states them, held against those that the networks are trained with, by numbers."""

from __future__ import annotations

import math

import torch

from capsaudit.catalogue.claims import Test
from capsaudit.results import AGREES, DISAGREES
from capsaudit.train.losses import margin_loss, reconstruction_loss

_DIFFERENCES = (0.3, 0.4)
"""Two pixels that differ; all others are equal. The sum of squares is 0.25, the Euclidean distance 0.5."""

_LENGTHS = (
    ((0.95, 0.05, 0.0), 0),
    ((0.85, 0.05, 0.0), 0),
    ((0.95, 0.15, 0.0), 0),
    ((0.2, 0.7, 0.4), 2),
)
"""Capsule lengths and the class that is there: nothing lost; the right one too short; a wrong one too long; both."""


def reconstruction_verdict(test: Test) -> tuple[str, str]:
    """On two pixels that differ by 0.3 and 0.4."""
    images = torch.zeros(1, 28 * 28, dtype=torch.float64)
    reconstructed = images.clone()
    reconstructed[0, : len(_DIFFERENCES)] = torch.tensor(_DIFFERENCES, dtype=torch.float64)
    trained = float(reconstruction_loss(reconstructed, images))
    squares = sum(difference**2 for difference in _DIFFERENCES)
    stated = test.scale * (math.sqrt(squares) if test.form == "Euclidean distance" else squares)
    return _compared(stated, trained, "where two pixels differ by 0.3 and 0.4")


def margin_verdict(test: Test) -> tuple[str, str]:
    """On capsules that lose nothing, and on such that do."""
    for lengths, right in _LENGTHS:
        present = torch.zeros(1, len(lengths), dtype=torch.float64)
        present[0, right] = 1
        trained = float(margin_loss(torch.tensor([lengths], dtype=torch.float64), present))
        stated = sum(_margin(test, length, present=i == right) for i, length in enumerate(lengths))
        verdict, because = _compared(stated, trained, f"for lengths {', '.join(map(str, lengths))}")
        if verdict == DISAGREES:
            return verdict, because
    return (
        AGREES,
        "it is the loss that the networks are trained with, on capsules that lose nothing and on such that do",
    )


def _margin(test: Test, length: float, *, present: bool) -> float:
    """Equation 4 for one capsule, with the statement's own numbers."""
    if present:
        return max(0.0, (test.m_plus or 0.0) - length) ** 2
    return (test.weight or 0.0) * max(0.0, length - (test.m_minus or 0.0)) ** 2


def _compared(stated: float, trained: float, where: str) -> tuple[str, str]:
    if math.isclose(stated, trained, rel_tol=1e-9, abs_tol=1e-12):
        return AGREES, f"{where}, it is {stated:.6g}, and so is the loss that the networks are trained with"
    return (
        DISAGREES,
        f"{where}, it is {stated:.6g}; the paper's loss, with which the networks are trained, is {trained:.6g}",
    )
