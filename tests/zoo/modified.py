"""The paper's capsule network as people change it: it is still one, and what it has beyond the paper's is known by its layer."""

from __future__ import annotations

from torch import nn

from tests.examples.capsnets import EightConvolutions


def batch_norm() -> nn.Module:
    model = EightConvolutions()
    model.conv_layer = nn.Sequential(model.conv_layer, nn.BatchNorm2d(256))
    return model


def no_bias() -> nn.Module:
    model = EightConvolutions()
    model.conv_layer = nn.Conv2d(1, 256, 9, bias=False)
    model.capsules = nn.ModuleList([nn.Conv2d(256, 32, 9, stride=2, bias=False) for _ in range(8)])
    return model


def convolution_before() -> nn.Module:
    model = EightConvolutions()
    model.conv_layer = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 256, 9))
    return model


def convolution_between() -> nn.Module:
    model = EightConvolutions()
    model.conv_layer = nn.Sequential(model.conv_layer, nn.ReLU(), nn.Conv2d(256, 256, 3, padding=1))
    return model


def smaller_grid() -> nn.Module:
    """28 − 8 − 2 = 18 places a side are left for the primary layer, and (18 − 9)/2 + 1 = 5 for its capsules."""
    model = convolution_between()
    model.conv_layer[2] = nn.Conv2d(256, 256, 3)
    model.route_weights = nn.Parameter(model.route_weights[:, : 32 * 25].detach().clone())
    return model


def linear() -> nn.Module:
    model = EightConvolutions()
    model.classifier = nn.Linear(16, 1)
    return model


def transposed_convolutions() -> nn.Module:
    """From 160 values to 32 channels of 7×7, then to 14×14 and 28×28 pixels."""
    model = EightConvolutions()
    model.decoder = nn.Sequential(
        *(nn.Linear(160, 32 * 7 * 7), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))),
        *(nn.ConvTranspose2d(32, 8, 4, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1, bias=False), nn.Sigmoid()),
    )
    return model
