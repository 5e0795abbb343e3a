"""Convolutions with the padding rules of both worlds: torch's numbers and TensorFlow's `same`."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit import spec
from capsaudit.models.kernels.convolution import unrolled_conv2d

_LEAST_UNROLLED = 64
"""Below this many columns a matrix product no longer beats the library's own convolution."""


class Convolution(nn.Conv2d):
    """A convolution as the spec describes it, without an activation. [batch, channels, height, width] in and out."""

    def __init__(self, conv: spec.Convolution, *, channels_in: int, device: str) -> None:
        super().__init__(
            channels_in,
            conv.channels,
            conv.kernel,
            stride=conv.stride,
            padding=0 if isinstance(conv.padding, str) else conv.padding,
            bias=conv.bias,
            device=device,
        )
        self.pads_same = conv.padding == "same"
        self.unrolls = channels_in * conv.kernel >= _LEAST_UNROLLED
        if device != "meta":
            self.to(memory_format=torch.channels_last)

    def forward(self, images: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c2 h2 w2"]:
        """The convolution, after padding where it is `same`. In channels_last on processors and accelerators alike."""
        if self.pads_same:
            images = self._padded(images)
        if images.device.type != "cpu":
            return super().forward(images)
        images = images.contiguous(memory_format=torch.channels_last)
        if not self.unrolls:
            return super().forward(images)
        pixels = int(self.padding[0])
        padded = F.pad(images, (pixels,) * 4) if pixels else images
        return unrolled_conv2d(padded, self.weight, self.bias, self.stride[0])

    def output_size(self, size: int) -> int:
        """Length of the output for an input of this length, along either axis."""
        if self.pads_same:
            return (size - 1) // self.stride[0] + 1
        return (size + 2 * int(self.padding[0]) - self.kernel_size[0]) // self.stride[0] + 1

    def _padded(self, images: Tensor) -> Tensor:
        """Just enough zeros for ⌈size / stride⌉ outputs; of an odd number, the larger half on the right and below."""
        height, width = images.shape[-2:]
        top, bottom = self._same_padding(height)
        left, right = self._same_padding(width)
        return F.pad(images, (left, right, top, bottom))

    def _same_padding(self, size: int) -> tuple[int, int]:
        reach = (size - 1) // self.stride[0] * self.stride[0] + self.kernel_size[0]
        missing = max(reach - size, 0)
        return missing // 2, missing - missing // 2


class ReluConvolution(Convolution):
    """A convolution, a ReLU and, with `pool` > 1, the maximum over squares of `pool`×`pool`."""

    def __init__(self, conv: spec.Convolution, *, channels_in: int, device: str, pool: int = 1) -> None:
        super().__init__(conv, channels_in=channels_in, device=device)
        self.pool = pool

    def forward(self, images: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c2 h2 w2"]:
        """[batch, channels, height, width] in and out."""
        activated = F.relu(super().forward(images))
        return F.max_pool2d(activated, self.pool) if self.pool > 1 else activated

    def output_size(self, size: int) -> int:
        """Length of the pooled output."""
        return super().output_size(size) // self.pool
