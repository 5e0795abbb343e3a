"""The CapsNet of Sabour et al. 2017 on one page."""

from __future__ import annotations

import math

from jaxtyping import Float, Int
from torch import Tensor

from capsaudit.families import capsnet
from capsaudit.models.capsules import DigitCaps, PrimaryCaps
from capsaudit.models.convolution import ReluConvolution
from capsaudit.models.fully_connected import Decoder
from capsaudit.models.network import CapsuleNetwork, Output
from capsaudit.spec import Image


class CapsNet(CapsuleNetwork):
    """Convolution, PrimaryCaps, DigitCaps and, where the spec has one, the decoder (figures 1 and 2)."""

    def __init__(self, net: capsnet.CapsNet, *, device: str) -> None:
        super().__init__()
        self.conv1 = ReluConvolution(net.conv1, channels_in=net.image.channels, device=device)
        self.primary_caps = PrimaryCaps(net.primary_caps, channels_in=net.conv1.channels, device=device)
        digit = net.digit_caps
        self.digit_caps = DigitCaps(
            digit,
            types=net.primary_caps.types,
            capsules=self._places(net.image) * net.primary_caps.types,
            dimension_in=net.primary_caps.dimension,
            device=device,
        )
        if net.decoder:
            self.decoder = Decoder(
                net.decoder, classes=digit.classes, dimension=digit.dimension, image=net.image, device=device
            )

    def forward(self, images: Float[Tensor, "batch c h w"], targets: Int[Tensor, " batch"] | None = None) -> Output:
        """Lengths, capsules and reconstruction."""
        return self.output(self.digit_caps(self.primary_caps(self.conv1(images))), targets)

    def _places(self, image: Image) -> int:
        """Places of the grid that PrimaryCaps makes of such an image."""
        return math.prod(
            self.primary_caps.output_size(self.conv1.output_size(size)) for size in (image.height, image.width)
        )
