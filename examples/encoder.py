"""A model without memory for its weights: on device meta, tensors have shapes and no values."""

import torch
from torch import Tensor, nn


def encoder() -> tuple[nn.Module, Tensor]:
    """Twelve blocks of a transformer, 768 wide, and an input of 16 positions."""
    with torch.device("meta"):
        block = nn.TransformerEncoderLayer(768, nhead=12, dim_feedforward=3072, batch_first=True)
        return nn.TransformerEncoder(block, num_layers=12, enable_nested_tensor=False), torch.zeros(1, 16, 768)
