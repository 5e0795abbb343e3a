"""Which term comes nearest to the values of a loss, times which number, and with which m⁺, m⁻ and λ."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from capsaudit.parity.loss.terms import MARGINS, OTHERS, RECONSTRUCTIONS
from capsaudit.train.losses import M_MINUS, M_PLUS

_GRID = torch.linspace(-0.2, 1.2, 15, dtype=torch.float64)
"""Where m⁺ and m⁻ are looked for first."""

_MOST, _STARTS, _STEPS = 3, 8, 15
"""How many terms are the best of the grid, how many of their m⁺ and m⁻ are followed, and how far."""

_FAR = 0.2
"""A term is not followed if the grid's least relative error is as large: with lengths on both sides of m⁺ and m⁻, one that lies between
points of the grid has less than half of it.
"""


class Fit(NamedTuple):
    """A term that comes near the values of a loss: what it is multiplied by, or each of its two parts, and the relative error.

    `determined`: whether no other ratio of the weights, no other m⁺ and no other m⁻ comes as near.
    """

    name: str
    weights: tuple[float, ...]
    error: float
    plus: float = M_PLUS
    minus: float = M_MINUS
    determined: tuple[bool, bool, bool] = (True, True, True)


def margin_fits(values: Tensor, lengths: Tensor, present: Tensor, *, constant: bool, tolerance: float) -> list[Fit]:
    """Every term on values [call] of lengths [call, batch, class], the nearest first. m⁺ and m⁻ are the paper's; others only where no term
    with the paper's is within the tolerance.

    `constant`: whether the values contain a number that is the same in all calls.
    """
    fits = []
    for name, term in MARGINS.items():
        fits.append(_fit(name, values, term(lengths, present, M_PLUS, M_MINUS), constant=constant))
    for name, other in OTHERS.items():
        fits.append(_fit(name, values, (other(lengths, present),), constant=constant))
    if not any(fit.error <= tolerance for fit in fits):
        searches = [_Search(name, values, lengths, present, constant) for name in MARGINS]
        near = [search for search in searches if search.least < _FAR]
        for search in sorted(near, key=lambda each: each.least)[:_MOST]:
            fits.append(search.fit())
            if fits[-1].error <= tolerance:
                break
    return sorted(fits, key=lambda fit: fit.error)


def pixel_fits(values: Tensor, made: Tensor, images: Tensor) -> list[Fit]:
    """Every term, with a number that is the same in all calls, on values [call] of reconstructions and images [call, batch, pixels], the
    nearest first.
    """
    fits = [_fit(name, values, (term(made, images),), constant=True) for name, term in RECONSTRUCTIONS.items()]
    return sorted(fits, key=lambda fit: fit.error)


def _fit(name: str, values: Tensor, parts: tuple[Tensor, ...], *, constant: bool) -> Fit:
    weights, error = fitted(values, parts, constant=constant)
    return Fit(name, tuple(weights[: len(parts)].tolist()), error.item())


class _Search:
    """The m⁺ and m⁻ of a term that give the least error: Gauss and Newton's steps from the best of a grid."""

    def __init__(self, name: str, values: Tensor, lengths: Tensor, present: Tensor, constant: bool) -> None:
        self.name, self.values, self.term = name, values, partial(MARGINS[name], lengths, present)
        pairs = torch.cartesian_prod(_GRID, _GRID)
        each = pairs[:, :, None, None, None]
        weights, errors = fitted(values, self.term(each[:, 0], each[:, 1]), constant=constant)
        self.least = errors.min().item()
        self.starts = [torch.cat([pairs[best], weights[best]]) for best in errors.argsort()[:_STARTS]]

    def fit(self) -> Fit:
        """The best that any of the starts leads to."""
        ends = (_descended(self._differences, start) for start in self.starts)
        numbers = min(ends, key=lambda each: _size(self._differences(each)))
        known = _determined(torch.func.jacfwd(self._differences)(numbers))
        plus, minus, present, absent = numbers[:4].tolist()
        error = _size(self._differences(numbers)) / self.values.std().item()
        return Fit(self.name, (present, absent), error, plus, minus, (all(known[:4]), known[0], known[1]))

    def _differences(self, numbers: Tensor) -> Tensor:
        """From the values, with m⁺, m⁻, the two weights and the constant, if there is one."""
        plus, minus, present, absent, *constant = numbers
        parts = self.term(plus, minus)
        made: Tensor = present * parts[0] + absent * parts[1] - self.values
        return made + constant[0] if constant else made


def _descended(differences: Callable[[Tensor], Tensor], numbers: Tensor) -> Tensor:
    """Steps of Gauss and Newton, each halved until it leads down."""
    for _ in range(_STEPS):
        step = torch.linalg.lstsq(
            torch.func.jacfwd(differences)(numbers), -differences(numbers), driver="gelsd"
        ).solution
        tried = (numbers + step / 2**k for k in range(8))
        better = next((each for each in tried if _size(differences(each)) < _size(differences(numbers))), None)
        if better is None:
            break
        numbers = better
    return numbers


def _determined(slopes: Tensor) -> list[bool]:
    """For each number, whether the values [call] of which these are the `slopes` [call, number] change with it, whatever the others are."""
    norms = slopes.norm(dim=0)
    _, sizes, directions = torch.linalg.svd(slopes / norms.clamp(min=1e-30), full_matrices=False)
    free = directions[sizes < 1e-6 * sizes[0]].abs().sum(0)
    return [bool(norm > 1e-9 * norms.max()) and bool(each < 1e-3) for norm, each in zip(norms, free, strict=True)]


def _size(values: Tensor) -> float:
    return values.square().mean().sqrt().item()


def fitted(values: Tensor, parts: tuple[Tensor, ...], *, constant: bool) -> tuple[Tensor, Tensor]:
    """The numbers by which the parts [..., call] come nearest to the values [call], with a `constant` behind them, and the root
    mean square of the differences relative to the standard deviation of the values.

    >>> weights, error = fitted(torch.tensor([2.0, 4.0, 6.0]), (torch.tensor([1.0, 2.0, 3.0]),), constant=False)
    >>> round(weights.item(), 4), error.item() < 1e-6
    (2.0, True)
    """
    columns = torch.stack(torch.broadcast_tensors(*parts, *([torch.ones_like(values)] * constant)), dim=-1)
    scale = columns.norm(dim=-2, keepdim=True).clamp(min=1e-30)
    wanted = values[:, None].expand(*columns.shape[:-1], 1).contiguous()
    weights = torch.linalg.lstsq(columns / scale, wanted, driver="gelsd").solution / scale.mT
    differences = (columns @ weights - wanted).squeeze(-1).square().mean(-1).sqrt()
    return weights.squeeze(-1), differences / values.std()
