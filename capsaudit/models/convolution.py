"""Convolutions with the padding rules of both worlds: torch's numbers and TensorFlow's `same`."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit import spec
from capsaudit.models.kernels.convolution import unrolled_conv2d


class Convolution(nn.Conv2d):
    """A convolution as the spec describes it; with `relu`, followed by one. [batch, channels, height, width] in and out."""

    relu = False

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
        if device != "meta":
            self.weight.data = self.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c2 h2 w2"]:
        """The padded convolution, in channels_last. On a processor by `kernels.convolution`, elsewhere by the library."""
        padded = self._padded(images).contiguous(memory_format=torch.channels_last)
        if images.device.type == "cpu":
            return unrolled_conv2d(padded, self.weight, self.bias, self.stride[0], relu=self.relu)
        output = F.conv2d(padded, self.weight, self.bias, self.stride)
        return F.relu(output) if self.relu else output

    def output_size(self, size: int) -> int:
        """Length of the output for an input of this length, along either axis."""
        before, behind = self._margins(size)
        return (size + before + behind - self.kernel_size[0]) // self.stride[0] + 1

    def _padded(self, images: Tensor) -> Tensor:
        top, bottom = self._margins(images.shape[2])
        left, right = self._margins(images.shape[3])
        return F.pad(images, (left, right, top, bottom)) if top + bottom + left + right else images

    def _margins(self, size: int) -> tuple[int, int]:
        """Zeros before and behind. `same` takes just enough for ⌈size / stride⌉ outputs, the larger half of an odd number behind."""
        if not self.pads_same:
            pixels = int(self.padding[0])
            return pixels, pixels
        reach = (size - 1) // self.stride[0] * self.stride[0] + self.kernel_size[0]
        missing = max(reach - size, 0)
        return missing // 2, missing - missing // 2


class ReluConvolution(Convolution):
    """A convolution, a ReLU and, with `pool` > 1, the maximum over squares of `pool`×`pool`."""

    relu = True

    def __init__(self, conv: spec.Convolution, *, channels_in: int, device: str, pool: int = 1) -> None:
        super().__init__(conv, channels_in=channels_in, device=device)
        self.pool = pool

    def forward(self, images: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c2 h2 w2"]:
        """[batch, channels, height, width] in and out."""
        activated = super().forward(images)
        return F.max_pool2d(activated, self.pool) if self.pool > 1 else activated

    def output_size(self, size: int) -> int:
        """Length of the pooled output."""
        return super().output_size(size) // self.pool
