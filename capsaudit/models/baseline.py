"""The plain convolutional network that Sabour et al. 2017 compare with."""

from __future__ import annotations

import math

from jaxtyping import Float, Int
from torch import Tensor, nn

from capsaudit.families import baseline
from capsaudit.models.convolution import ReluConvolution
from capsaudit.models.fully_connected import FullyConnected
from capsaudit.models.network import Network, Output


class Baseline(Network):
    """Convolutions `conv1 … convN`, each with its ReLU and pooling, then fully connected layers."""

    def __init__(self, net: baseline.Baseline, *, device: str) -> None:
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
        """Logits of the classes; `targets` is not used."""
        del targets
        return Output(self.fully_connected(self.convolutions(images).flatten(1)))
