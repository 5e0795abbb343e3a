"""The two families of networks on one page: the CapsNet of Sabour et al. 2017, and its convolutional baseline."""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor, nn

from capsaudit import spec
from capsaudit.models.capsules import DigitCaps, PrimaryCaps
from capsaudit.models.convolution import ReluConvolution
from capsaudit.models.fully_connected import Decoder, FullyConnected


class Output(NamedTuple):
    """What a network says of a batch of images.

    `scores` [batch, classes]: lengths of the class capsules, or a baseline's logits. `capsules` [batch, classes, dimension] and
    `reconstruction` [batch, channels, height, width] where the network has them.
    """

    scores: Tensor
    capsules: Tensor | None = None
    reconstruction: Tensor | None = None


class CapsNet(nn.Module):
    """Convolution, PrimaryCaps, DigitCaps and, where the spec has one, the decoder (figures 1 and 2)."""

    def __init__(self, net: spec.CapsNet, *, device: str) -> None:
        super().__init__()
        self.conv1 = ReluConvolution(net.conv1, channels_in=net.image.channels, device=device)
        self.primary_caps = PrimaryCaps(net.primary_caps, channels_in=net.conv1.channels, device=device)
        self.digit_caps = DigitCaps(
            net.digit_caps,
            types=net.primary_caps.types,
            capsules=self._places(net.image) * net.primary_caps.types,
            dimension_in=net.primary_caps.dimension,
            device=device,
        )
        self.decoder = Decoder(net.decoder, net.digit_caps, net.image, device=device) if net.decoder else None

    def forward(self, images: Float[Tensor, "batch c h w"], targets: Int[Tensor, " batch"] | None = None) -> Output:
        """Lengths, capsules and reconstruction. The decoder is given the capsule of `targets`, or else the longest one."""
        capsules = self.digit_caps(self.primary_caps(self.conv1(images)))
        lengths = capsules.norm(dim=-1)
        if self.decoder is None:
            return Output(lengths, capsules)
        chosen = lengths.argmax(-1) if targets is None else targets
        return Output(lengths, capsules, self.decoder.reconstruct(capsules, chosen))

    def _places(self, image: spec.Image) -> int:
        """Places of the grid that PrimaryCaps makes of such an image."""
        return math.prod(
            self.primary_caps.output_size(self.conv1.output_size(size)) for size in (image.height, image.width)
        )


class Baseline(nn.Module):
    """Convolutions `conv1 … convN`, each with its ReLU and pooling, then fully connected layers."""

    def __init__(self, net: spec.Baseline, *, device: str) -> None:
        super().__init__()
        channels, sizes = net.image.channels, [net.image.height, net.image.width]
        self.convolutions = nn.Sequential()
        for index, (conv, layer) in enumerate(zip(net.convolutions, net.layers, strict=True), start=1):
            module = ReluConvolution(conv, channels_in=channels, device=device, pool=layer.pool)
            self.convolutions.add_module(f"conv{index}", module)
            channels, sizes = layer.channels, [module.output_size(size) for size in sizes]
        connected = net.fully_connected
        widths = (channels * math.prod(sizes), *connected.hidden, connected.classes)
        self.fully_connected = FullyConnected(widths, device=device, dropout=connected.dropout)

    def forward(self, images: Float[Tensor, "batch c h w"], targets: Int[Tensor, " batch"] | None = None) -> Output:
        """Logits of the classes; `targets` has no part in it."""
        del targets
        return Output(self.fully_connected(self.convolutions(images).flatten(1)))


def build(net: spec.Spec, *, device: str = "cpu") -> CapsNet | Baseline:
    """The network that a spec describes, freshly initialised. On device `meta` it has shapes but no values, of whatever size."""
    return CapsNet(net, device=device) if isinstance(net, spec.CapsNet) else Baseline(net, device=device)
