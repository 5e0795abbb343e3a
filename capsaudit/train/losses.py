"""The paper's two losses (Sabour et al. 2017, sections 3 and 4.1)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

M_PLUS, M_MINUS, DOWN_WEIGHT = 0.9, 0.1, 0.5
"""m+, m− and λ of equation 4."""
RECONSTRUCTION_WEIGHT = 0.0005


def margin_loss(lengths: Float[Tensor, "batch cls"], present: Float[Tensor, "batch cls"]) -> Float[Tensor, ""]:
    """Equation 4, summed over the classes and averaged over the images; `present` is 1 for each class that is in the image.

    >>> import torch
    >>> lengths = torch.tensor([[0.95, 0.05, 0.0]])
    >>> margin_loss(lengths, torch.tensor([[1.0, 0.0, 0.0]]))
    tensor(0.)
    """
    missed = F.relu(M_PLUS - lengths).square()
    imagined = F.relu(lengths - M_MINUS).square()
    return (present * missed + DOWN_WEIGHT * (1 - present) * imagined).sum(1).mean()


def reconstruction_loss(
    reconstructed: Float[Tensor, "batch *pixels"], images: Float[Tensor, "batch *pixels"]
) -> Float[Tensor, ""]:
    """The sum of squared differences over the pixels, averaged over the images, times 0.0005 (section 4.1)."""
    return RECONSTRUCTION_WEIGHT * (reconstructed - images).square().flatten(1).sum(1).mean()
