"""Efficient-CapsNet (Mazzia, Salvetti, Chiaberge 2021) on one page."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from capsaudit.families import efficient_capsnet
from capsaudit.models.fully_connected import Decoder
from capsaudit.models.network import CapsuleNetwork, Output

EPSILON = 1e-3
"""What the authors' batch normalisations add to the variance: Keras' default."""


class EfficientCapsNet(CapsuleNetwork):
    """Convolutions, each with its ReLU and then batch normalisation, PrimaryCaps, DigitCaps and, where the spec has one, the decoder."""

    def __init__(self, net: efficient_capsnet.EfficientCapsNet, *, device: str) -> None:
        super().__init__()
        channels, sizes = net.image.channels, (net.image.height, net.image.width)
        self.features = nn.Sequential()
        for index, layer in enumerate(net.layers, start=1):
            conv = nn.Conv2d(channels, layer.channels, layer.kernel, layer.stride, bias=layer.bias, device=device)
            self.features.add_module(f"conv{index}", conv)
            self.features.add_module(f"relu{index}", nn.ReLU())
            self.features.add_module(
                f"bn{index}", nn.BatchNorm2d(layer.channels, eps=EPSILON, momentum=0.01, device=device)
            )
            channels, sizes = layer.channels, _output_sizes(sizes, layer.kernel, layer.stride)
        self.primary_caps = PrimaryCaps(net.primary_caps, channels=channels, device=device)
        places = math.prod(_output_sizes(sizes, net.primary_caps.kernel, net.primary_caps.stride))
        digit, dimension_in = net.digit_caps, net.primary_caps.dimension
        self.digit_caps = DigitCaps(
            digit, capsules=places * channels // dimension_in, dimension_in=dimension_in, device=device
        )
        if net.decoder:
            self.decoder = Decoder(
                net.decoder, classes=digit.classes, dimension=digit.dimension, image=net.image, device=device
            )

    def forward(self, images: Float[Tensor, "batch c h w"], targets: Int[Tensor, " batch"] | None = None) -> Output:
        """Lengths, capsules and reconstruction. Convolutions and normalisations of channels-last features are faster on CPUs and GPUs alike."""
        features = self.features(images.contiguous(memory_format=torch.channels_last))
        return self.output(self.digit_caps(self.primary_caps(features)), targets)


class PrimaryCaps(nn.Conv2d):
    """A depthwise convolution without an activation; the channels of each place are cut into capsules, which are squashed."""

    def __init__(self, primary: efficient_capsnet.PrimaryCaps, *, channels: int, device: str) -> None:
        super().__init__(
            channels,
            channels,
            primary.kernel,
            primary.stride,
            groups=channels,
            bias=primary.bias,
            device=device,
        )
        self.capsule_dimension = primary.dimension

    def forward(self, features: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch capsule dim"]:
        """Capsules in the order of the grid's rows, its columns, the channels."""
        channels_last = super().forward(features).permute(0, 2, 3, 1)
        return squash(channels_last.reshape(len(features), -1, self.capsule_dimension))


class DigitCaps(nn.Module):
    """Class capsules by self-attention routing: predictions û = u W, agreeing with each other, in one pass without iterations."""

    def __init__(self, digit: efficient_capsnet.DigitCaps, *, capsules: int, dimension_in: int, device: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(digit.classes, capsules, dimension_in, digit.dimension, device=device))
        trained = digit.logits == "trainable"
        self.logits = nn.Parameter(torch.empty(digit.classes, capsules, 1, device=device)) if trained else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """W by He et al. 2015 for `dimension_in` inputs, as in the authors' code; log priors of zero."""
        if self.weight.is_meta:
            return
        nn.init.normal_(self.weight, std=math.sqrt(2 / self.weight.shape[2]))
        if self.logits is not None:
            nn.init.zeros_(self.logits)

    def forward(self, capsules: Float[Tensor, "batch capsule dim"]) -> Float[Tensor, "batch cls dim2"]:
        """Class capsules, whose lengths are the probabilities of the classes.

        With A = û ûᵀ over the capsules of a class, the coupling of capsule i is softmax over the classes of Σ_k A_ik / √dim2, plus b.
        """
        votes = torch.einsum("bid,cide->bcie", capsules, self.weight)
        agreement = (votes * votes.sum(2, keepdim=True)).sum(-1, keepdim=True)  # Σ_k û_i·û_k, without A itself
        coupling = (agreement / math.sqrt(votes.shape[-1])).softmax(1)
        if self.logits is not None:
            coupling = coupling + self.logits
        return squash((votes * coupling).sum(2))


def squash(vectors: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """(1 − 1/e^|s|) · s/|s| along the last axis. A zero vector stays zero, and its gradient is finite."""
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(1e-20)
    return vectors * (-torch.expm1(-length) / length)


def _output_sizes(sizes: tuple[int, int], kernel: int, stride: int) -> tuple[int, int]:
    height, width = ((size - kernel) // stride + 1 for size in sizes)
    return height, width
