"""A convolution as one matrix product for each row of its kernel.

oneDNN's convolutions reach 40 to 75 % of the rate of a matrix product on the shapes of PrimaryCaps, their weight gradient least
of all. Here the input is unrolled along one axis: the windows of one image row, [columns out, kernel·channels], lie side by side,
and the rows that the kernel's row `ky` meets are then one contiguous matrix (for a stride above 1: among the rows of one phase,
`row % stride`). Forward and both gradients are `kernel` large products each, on 9/stride copies of the input instead of 81.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from capsaudit.models.kernels.scratch import borrow

_IMAGES_AT_ONCE = 32


def unrolled_conv2d(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """`F.conv2d(images, weight, bias, stride)`, without padding.

    Fastest with images [batch, channels, height, width] and weight [out, channels, kernel, kernel] in channels_last.
    """
    output: Tensor = _UnrolledConv2d.apply(images, weight, bias, stride)
    return output


class _UnrolledConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        pixels, kernels = _channels_inner(images), _channels_inner(weight)
        output = pixels.new_empty(*_output_size(pixels, kernels, stride), len(kernels))
        for chunk in _chunks(len(pixels)):
            windows = _Windows(pixels[chunk], kernels, stride)
            sums = borrow("conv sums", (windows.rows_out, len(pixels[chunk]), windows.columns_out, len(kernels)), pixels)
            flat = sums.view(-1, len(kernels))
            for ky, matrix in windows.matrices():
                torch.addmm(flat, matrix, _row(kernels, ky).t(), beta=int(ky > 0), out=flat)
            output[chunk] = sums.transpose(0, 1)
        if bias is not None:
            output += bias
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.has_bias = stride, bias is not None
        return output.permute(0, 3, 1, 2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        images, weight = ctx.saved_tensors
        pixels, kernels, outer = _channels_inner(images), _channels_inner(weight), _channels_inner(gradient)
        d_kernels = torch.empty_like(kernels)
        d_pixels = torch.zeros_like(pixels) if ctx.needs_input_grad[0] else None
        for number, chunk in enumerate(_chunks(len(pixels))):
            windows = _Windows(pixels[chunk], kernels, ctx.stride)
            sums = borrow("conv sums", outer[chunk].transpose(0, 1).shape, pixels)
            flat = sums.copy_(outer[chunk].transpose(0, 1)).view(-1, len(kernels))
            for ky, matrix in windows.matrices():
                row = _row(d_kernels, ky)
                torch.addmm(row, flat.t(), matrix, beta=int(number > 0), out=row)
            if d_pixels is not None:
                windows.add_gradient(flat, kernels, d_pixels[chunk])
        d_images = None if d_pixels is None else d_pixels.permute(0, 3, 1, 2)
        return d_images, d_kernels.permute(0, 3, 1, 2), gradient.sum((0, 2, 3)) if ctx.has_bias else None, None


class _Windows:
    """Unrolled rows of some images, phase by phase: [rows, images, columns out, kernel, channels] each."""

    def __init__(self, pixels: Tensor, kernels: Tensor, stride: int) -> None:
        self.kernel, self.stride = kernels.shape[1], stride
        self.rows_out, self.columns_out = _output_size(pixels, kernels, stride)[1:]
        self.phases = []
        for phase in range(min(stride, self.kernel)):
            view = pixels[:, phase::stride].unfold(2, self.kernel, stride).permute(1, 0, 2, 4, 3)
            self.phases.append(borrow(f"conv phase {phase}", view.shape, pixels).copy_(view))

    def matrices(self) -> Iterator[tuple[int, Tensor]]:
        """For each row of the kernel the matrix [places, kernel·channels] that it meets."""
        for ky in range(self.kernel):
            yield ky, self._met_by(ky)

    def add_gradient(self, gradient: Tensor, kernels: Tensor, d_pixels: Tensor) -> None:
        """Add the input's gradient to `d_pixels`; the unrolled rows are overwritten by their own gradients on the way."""
        for phase, unrolled in enumerate(self.phases):
            met = (self.kernel - 1 - phase) // self.stride + self.rows_out
            unrolled[:met].zero_()
            for ky in range(phase, self.kernel, self.stride):
                self._met_by(ky).addmm_(gradient, _row(kernels, ky))
            rows = d_pixels[:, phase :: self.stride][:, :met]
            for kx in range(self.kernel):
                columns = slice(kx, kx + self.stride * (self.columns_out - 1) + 1, self.stride)
                rows[:, :, columns] += unrolled[:met, :, :, kx].transpose(0, 1)

    def _met_by(self, ky: int) -> Tensor:
        first = ky // self.stride
        rows = self.phases[ky % self.stride][first : first + self.rows_out]
        return rows.view(-1, rows.shape[3] * rows.shape[4])


def _channels_inner(tensor: Tensor) -> Tensor:
    """[n, height, width, channels], contiguous; a view where the tensor is in channels_last."""
    return tensor.permute(0, 2, 3, 1).contiguous()


def _row(kernels: Tensor, ky: int) -> Tensor:
    """Row `ky` of all kernels, [channels out, kernel·channels], a view."""
    return kernels[:, ky].view(len(kernels), -1)


def _output_size(pixels: Tensor, kernels: Tensor, stride: int) -> tuple[int, int, int]:
    batch, height, width, _ = pixels.shape
    return batch, (height - kernels.shape[1]) // stride + 1, (width - kernels.shape[2]) // stride + 1


def _chunks(batch: int) -> Iterator[slice]:
    """Few images at a time, so that what is unrolled stays small and in the cache."""
    for start in range(0, batch, _IMAGES_AT_ONCE):
        yield slice(start, start + _IMAGES_AT_ONCE)
