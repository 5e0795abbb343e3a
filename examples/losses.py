"""The loss of a capsule network as many write it: PyTorch's mean squared error averages over the pixels too."""

import torch
from torch import Tensor
from torch.nn import functional as F


def loss(lengths: Tensor, labels: Tensor, images: Tensor, reconstruction: Tensor) -> Tensor:
    present = torch.eye(10)[labels]
    margin = present * F.relu(0.9 - lengths) ** 2 + 0.5 * (1 - present) * F.relu(lengths - 0.1) ** 2
    return margin.sum(dim=1).mean() + 0.0005 * F.mse_loss(reconstruction, images.flatten(1))
