"""A loss beside the paper's: the margin loss (Sabour et al. 2017, eq. 4) and the reconstruction loss (section 4.1), and what is computed instead.

Each table maps what a term may be to a function, the paper's first. A loss is a sum of terms, each times a number. It is called with many
known values, and a term is what it computes if some number explains all of its values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional as F

Threshold = float | Tensor
"""m⁺ or m⁻; or several in a tensor, with axes in front."""


def hinges(
    lengths: Tensor, present: Tensor, plus: Threshold, minus: Threshold, power: int = 2
) -> tuple[Tensor, Tensor]:
    """Equation 4: max(0, m⁺ − |v|)² of each class that is present, and max(0, |v| − m⁻)² of each that is not, each summed over the classes
    [batch, class] of all images. `power` stands for the 2.

    >>> import torch
    >>> hinges(torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]]), 0.75, 0.25)
    (tensor(0.0625), tensor(0.0625))
    """
    missed, imagined = F.relu(plus - lengths) ** power, F.relu(lengths - minus) ** power
    return _total(present * missed), _total((1 - present) * imagined)


def _total(values: Tensor) -> Tensor:
    """The sum over the last two axes."""
    return values.sum((-2, -1))


MARGINS: dict[str, Callable[[Tensor, Tensor, Threshold, Threshold], tuple[Tensor, Tensor]]] = {
    "eq. 4": hinges,
    "eq. 4, not squared": partial(hinges, power=1),
    "eq. 4 of the softmax of the lengths": lambda v, t, plus, minus: hinges(v.softmax(-1), t, plus, minus),
    "eq. 4 of the softmax of the lengths, not squared": lambda v, t, plus, minus: hinges(
        v.softmax(-1), t, plus, minus, 1
    ),
    "eq. 4 of the squared lengths": lambda v, t, plus, minus: hinges(v**2, t, plus, minus),
}
"""The part of the present and of the absent classes, of lengths and of a one for each present class, [..., batch, class], m⁺ and m⁻."""

OTHERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross entropy of the lengths": lambda lengths, present: -_total(present * lengths.log_softmax(-1)),
    "cross entropy of the softmax of the lengths": lambda lengths, present: (
        -_total(present * lengths.softmax(-1).log_softmax(-1))
    ),
    "negative logarithm of the length of the present class": lambda lengths, present: -_total(present * lengths.log()),
    "negative length of the present class": lambda lengths, present: -_total(present * lengths),
    "binary cross entropy of the lengths": lambda lengths, present: _total(
        F.binary_cross_entropy(lengths.clamp(0, 1), present, reduction="none")
    ),
    "binary cross entropy of the sigmoid of the lengths": lambda lengths, present: _total(
        F.binary_cross_entropy_with_logits(lengths, present, reduction="none")
    ),
    "squared difference of the lengths from 1 and 0": lambda lengths, present: _total((lengths - present) ** 2),
}
"""What stands in place of the margin loss, summed over the classes of all images."""

SQUARES = "squared differences"

RECONSTRUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    SQUARES: lambda made, images: _total((made - images) ** 2),
    "absolute differences": lambda made, images: _total((made - images).abs()),
    "binary cross entropies": lambda made, images: _total(
        F.binary_cross_entropy(made.clamp(0, 1), images, reduction="none")
    ),
    "binary cross entropies of the sigmoid": lambda made, images: _total(
        F.binary_cross_entropy_with_logits(made, images, reduction="none")
    ),
    "Euclidean distances": lambda made, images: (made - images).norm(dim=-1).sum(-1),
    "the Euclidean distance of the whole batch": lambda made, images: (made - images).flatten(-2).norm(dim=-1),
}
"""Of reconstructions and images [..., batch, pixels], summed over the pixels of all images (section 4.1)."""
