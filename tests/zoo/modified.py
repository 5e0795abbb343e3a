"""The paper's capsule network as people change it: it is still one, and what it has beyond the paper's is known by its layer."""

from __future__ import annotations

import torch
from torch import nn

from examples.capsnets import EightConvolutions


def changed(**parts: nn.Module | nn.Parameter) -> nn.Module:
    """The network with other parts, or more, by the names of its attributes."""
    model = EightConvolutions()
    for name, part in parts.items():
        setattr(model, name, part)
    return model


def batch_norm() -> nn.Module:
    return changed(conv_layer=nn.Sequential(nn.Conv2d(1, 256, 9), nn.BatchNorm2d(256)))


def no_bias() -> nn.Module:
    capsules = [nn.Conv2d(256, 32, 9, stride=2, bias=False) for _ in range(8)]
    return changed(conv_layer=nn.Conv2d(1, 256, 9, bias=False), capsules=nn.ModuleList(capsules))


def convolution_before() -> nn.Module:
    return changed(conv_layer=nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 256, 9)))


def convolution_between() -> nn.Module:
    return changed(conv_layer=nn.Sequential(nn.Conv2d(1, 256, 9), nn.ReLU(), nn.Conv2d(256, 256, 3, padding=1)))


def smaller_grid() -> nn.Module:
    """28 − 8 − 2 = 18 places a side are left for the primary layer, and ⌊(18 − 9)/2⌋ + 1 = 5 for its capsules."""
    layers = nn.Sequential(nn.Conv2d(1, 256, 9), nn.ReLU(), nn.Conv2d(256, 256, 3))
    return changed(conv_layer=layers, route_weights=nn.Parameter(torch.randn(10, 32 * 5 * 5, 8, 16)))


def linear() -> nn.Module:
    return changed(classifier=nn.Linear(16, 1))


def transposed_convolutions() -> nn.Module:
    """From 160 values to 32 channels of 7×7, then to 14×14 and 28×28 pixels."""
    layers = nn.Sequential(
        *(nn.Linear(160, 32 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))),
        *(nn.ConvTranspose2d(32, 8, 4, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1, bias=False), nn.Sigmoid()),
    )
    return changed(decoder=layers)
