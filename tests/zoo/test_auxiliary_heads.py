"""GoogLeNet (Szegedy et al. 2015) as torchvision builds it: two auxiliary heads are used in training only, and left out of its figure."""

import torch
from torch import Tensor, nn

from capsaudit.commands.reconcile_model import reconcile_model
from capsaudit.inspection.module import inspect_module
from capsaudit.published import parse_figure
from capsaudit.render.selections import counted_as
from capsaudit.selection import Selection

BLOCKS = (
    (64, 96, 128, 16, 32, 32),
    (128, 128, 192, 32, 96, 64),
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
    (256, 160, 320, 32, 128, 128),
    (384, 192, 384, 48, 128, 128),
)
"""Table 1: 1×1; 3×3 and before it; the second 3×3, in place of 5×5, and before it; behind the pooling."""

AUXILIARY = 2 * (256 + 2049 * 1024 + 1025 * 1000) + (512 + 528) * 128
"""Of each head a convolution to 128 channels with a normalisation, and two linear layers; behind blocks of 512 and 528 channels."""


def convolution(before: int, after: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(after))


class Block(nn.Module):
    def __init__(self, before: int, one: int, reduced3: int, three: int, reduced5: int, five: int, pooled: int) -> None:
        super().__init__()
        self.branch1 = convolution(before, one, 1)
        self.branch2 = nn.Sequential(convolution(before, reduced3, 1), convolution(reduced3, three, 3))
        self.branch3 = nn.Sequential(convolution(before, reduced5, 1), convolution(reduced5, five, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), convolution(before, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in (self.branch1, self.branch2, self.branch3, self.branch4)], dim=1)


class GoogLeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolution(3, 64, 7), convolution(64, 64, 1), convolution(64, 192, 3))
        channels, blocks = 192, []
        for sizes in BLOCKS:
            blocks.append(Block(channels, *sizes))
            channels = sizes[0] + sizes[2] + sizes[4] + sizes[5]
        self.blocks = nn.Sequential(*blocks)
        self.aux1, self.aux2 = self.auxiliary(512), self.auxiliary(528)
        self.fc = nn.Linear(1024, 1000)

    @staticmethod
    def auxiliary(channels: int) -> nn.Sequential:
        return nn.Sequential(convolution(channels, 128, 1), nn.Flatten(), nn.Linear(2048, 1024), nn.Linear(1024, 1000))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.blocks(self.stem(x)).mean(dim=(2, 3)))
        return scores


def expected() -> int:
    """Each convolution k²·before·after and 2·after; blocks without the auxiliary heads; the linear layer."""
    total, before = (49 * 3 * 64 + 128) + (64 * 64 + 128) + (9 * 64 * 192 + 384), 192
    for one, reduced3, three, reduced5, five, pooled in BLOCKS:
        total += before * (one + reduced3 + reduced5 + pooled) + 9 * (reduced3 * three + reduced5 * five)
        total += 2 * (one + reduced3 + three + reduced5 + five + pooled)
        before = one + three + five + pooled
    return total + (before + 1) * 1000


def test_the_figure_is_without_what_no_forward_uses() -> None:
    assert (expected(), expected() + AUXILIARY) == (6_624_904, 13_004_888)
    inventory = inspect_module(GoogLeNet(), "GoogLeNet", inputs=(torch.zeros(1, 3, 16, 16),))
    assert inventory.trainable() == 13_004_888
    found = reconcile_model(parse_figure("6,624,904"), inventory)
    assert [counted_as(each.changes) for each in found.explanations] == ["without what a forward pass does not use"]
    assert found.explanations[0].selection == Selection(excluded=("aux1", "aux2"))
    assert reconcile_model(parse_figure("13,004,888"), inventory).explanations[0].changes == ()
