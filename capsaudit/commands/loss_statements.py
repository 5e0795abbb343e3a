"""Losses as a source states them, compared by numbers with those that the networks are trained with."""

from __future__ import annotations

import math

import torch

from capsaudit.catalogue.claims import Test
from capsaudit.results import Reason
from capsaudit.results.base import reason
from capsaudit.train.losses import margin_loss, reconstruction_loss

_DIFFERENCES = (0.3, 0.4)
"""Two pixels that differ; all others are equal. The sum of squares is 0.25, the Euclidean distance 0.5."""

_LENGTHS = (
    ((0.95, 0.05, 0.0), 0),
    ((0.85, 0.05, 0.0), 0),
    ((0.95, 0.15, 0.0), 0),
    ((0.2, 0.7, 0.4), 2),
)
"""Capsule lengths and the class that is present: no loss; the right one too short; a wrong one too long; both."""


def judge_reconstruction_loss(test: Test) -> Reason:
    """On two pixels that differ by 0.3 and 0.4."""
    images = torch.zeros(1, 28 * 28, dtype=torch.float64)
    reconstructed = images.clone()
    reconstructed[0, : len(_DIFFERENCES)] = torch.tensor(_DIFFERENCES, dtype=torch.float64)
    trained = float(reconstruction_loss(reconstructed, images))
    squares = sum(difference**2 for difference in _DIFFERENCES)
    stated = test.scale * (math.sqrt(squares) if test.form == "Euclidean distance" else squares)
    return _compared(stated, trained, "for an image with one pixel off by 0.3 and another by 0.4")


def judge_margin_loss(test: Test) -> Reason:
    """On capsule lengths that give no loss, and on some that do."""
    for lengths, right in _LENGTHS:
        present = torch.zeros(1, len(lengths), dtype=torch.float64)
        present[0, right] = 1
        trained = float(margin_loss(torch.tensor([lengths], dtype=torch.float64), present))
        stated = sum(_margin(test, length, present=i == right) for i, length in enumerate(lengths))
        found = _compared(stated, trained, f"for lengths {', '.join(map(str, lengths))}")
        if found.code == "loss disagrees":
            return found
    return reason("losses agree", examples=len(_LENGTHS))


def _margin(test: Test, length: float, *, present: bool) -> float:
    """Equation 4 for one capsule, with the statement's own numbers.

    A statement that subtracts the vector instead of its length is given one whose 16 components are equal, so that each is a quarter of
    the length.
    """
    if present and test.form == "vector":
        return 16 * max(0.0, (test.m_plus or 0.0) - length / 4) ** 2
    if present:
        return max(0.0, (test.m_plus or 0.0) - length) ** 2
    return (test.weight or 0.0) * max(0.0, length - (test.m_minus or 0.0)) ** 2


def _compared(stated: float, trained: float, where: str) -> Reason:
    agrees = math.isclose(stated, trained, rel_tol=1e-9, abs_tol=1e-12)
    return reason("loss agrees" if agrees else "loss disagrees", where=where, stated=stated, trained=trained)
