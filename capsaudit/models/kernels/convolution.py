"""A convolution, with or without a ReLU behind it, as a few large matrix products.

oneDNN's convolutions reach 40 to 75 % of the rate of a matrix product on the shapes of PrimaryCaps, their weight gradient least
of all. Here the input is unrolled along one axis only: the windows of one image row, [columns out, kernel·channels], lie side by
side, and the rows that row `ky` of the kernel is applied to are then one contiguous matrix (for a stride above 1: among the rows of one
phase, `row % stride`). Forward and both gradients are `kernel` products each, on kernel/stride copies of the input instead of
kernel²/stride². Where there are few channels, as in a first layer, whole patches are unrolled and one product is all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from capsaudit.models.kernels.scratch import borrow

_IMAGES_AT_ONCE = 16
_FEW_COLUMNS = 64
"""Products with fewer columns than this run far below the rate of large ones."""


def unrolled_conv2d(images: Tensor, weight: Tensor, bias: Tensor | None, stride: int, *, relu: bool = False) -> Tensor:
    """`F.conv2d(images, weight, bias, stride)`, without padding; with `relu` its negative values are zero.

    Fastest with images [batch, channels, height, width] and weight [out, channels, kernel, kernel] in channels_last.
    """
    output: Tensor = _UnrolledConv2d.apply(images, weight, bias, stride, relu)  # type: ignore[no-untyped-call]
    return output


class _UnrolledConv2d(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stride: int, relu: bool) -> Tensor:
        pixels, kernels = _channels_inner(images), _channels_inner(weight)
        output = pixels.new_empty(*_output_size(pixels, kernels, stride), len(kernels))
        for chunk in _chunks(len(pixels)):
            _unrolled(pixels[chunk], kernels, stride).convolve(kernels, bias, output[chunk])
        if relu:
            output.relu_()
        ctx.save_for_backward(images, weight, *([output] if relu else []))
        ctx.stride, ctx.has_bias = stride, bias is not None
        return output.permute(0, 3, 1, 2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None, None]:
        images, weight, *activated = ctx.saved_tensors
        pixels, kernels, d_output = _channels_inner(images), _channels_inner(weight), _channels_inner(gradient)
        d_kernels = torch.zeros_like(kernels)
        d_bias = gradient.new_zeros(len(kernels)) if ctx.has_bias else None
        d_pixels = torch.zeros_like(pixels) if ctx.needs_input_grad[0] else None
        for chunk in _chunks(len(pixels)):
            unrolled = _unrolled(pixels[chunk], kernels, ctx.stride)
            d_sums = unrolled.laid_out(_masked(d_output[chunk], activated[0][chunk] if activated else None))
            unrolled.add_weight_gradient(d_sums, d_kernels)
            if d_bias is not None:
                d_bias += d_sums.sum(0)
            if d_pixels is not None:
                unrolled.add_input_gradient(d_sums, kernels, d_pixels[chunk])
        d_images = None if d_pixels is None else d_pixels.permute(0, 3, 1, 2)
        return d_images, d_kernels.permute(0, 3, 1, 2), d_bias, None, None


class _Unrolled(ABC):
    """Some images [n, height, width, channels], unrolled for a kernel. Places of the output are the rows of all matrices."""

    def __init__(self, pixels: Tensor, kernels: Tensor, stride: int) -> None:
        self.kernel, self.stride = kernels.shape[1], stride
        self.images, self.rows_out, self.columns_out = _output_size(pixels, kernels, stride)

    @abstractmethod
    def matrices(self) -> Iterator[tuple[slice, Tensor]]:
        """Rows of the kernel, and the matrix [places, columns of those rows] that they meet. The first one meets every place."""

    @abstractmethod
    def laid_out(self, output: Tensor) -> Tensor:
        """Values [n, rows out, columns out, channels out] as a matrix with one row a place."""

    @abstractmethod
    def add_input_gradient(self, d_sums: Tensor, kernels: Tensor, d_pixels: Tensor) -> None:
        """Add the gradient of the images to `d_pixels`. What was unrolled is overwritten on the way."""

    def convolve(self, kernels: Tensor, bias: Tensor | None, output: Tensor) -> None:
        """Write the convolution into `output` [n, rows out, columns out, channels out]."""
        sums = self.sums_for(output)
        for rows, matrix in self.matrices():
            first = rows.start == 0
            start = bias if first and bias is not None else sums
            torch.addmm(start, matrix, _rows(kernels, rows).t(), beta=0 if first and bias is None else 1, out=sums)
        self.write(sums, output)

    def sums_for(self, output: Tensor) -> Tensor:
        """Where the products add up: [places, channels out]."""
        return output.view(-1, output.shape[3])

    def write(self, sums: Tensor, output: Tensor) -> None:
        """Bring the sums into `output`, unless they are there already."""
        assert sums.data_ptr() == output.data_ptr()

    def add_weight_gradient(self, d_sums: Tensor, d_kernels: Tensor) -> None:
        """Add the gradient of the kernels."""
        for rows, matrix in self.matrices():
            _rows(d_kernels, rows).addmm_(d_sums.t(), matrix)

    def columns_met(self, kx: int) -> slice:
        """Columns of the image that column `kx` of the kernel meets."""
        return slice(kx, kx + self.stride * (self.columns_out - 1) + 1, self.stride)


class _Patches(_Unrolled):
    """Whole patches: [n, rows out, columns out, kernel, kernel, channels]."""

    def __init__(self, pixels: Tensor, kernels: Tensor, stride: int) -> None:
        super().__init__(pixels, kernels, stride)
        view = pixels.unfold(1, self.kernel, stride).unfold(2, self.kernel, stride).permute(0, 1, 2, 4, 5, 3)
        self.patches = borrow("patches", tuple(view.shape), pixels).copy_(view)

    def matrices(self) -> Iterator[tuple[slice, Tensor]]:
        yield slice(0, self.kernel), self.patches.flatten(3).flatten(0, 2)

    def laid_out(self, output: Tensor) -> Tensor:
        return output.reshape(-1, output.shape[3])

    def add_input_gradient(self, d_sums: Tensor, kernels: Tensor, d_pixels: Tensor) -> None:
        for rows, matrix in self.matrices():
            torch.mm(d_sums, _rows(kernels, rows), out=matrix)
        for ky in range(self.kernel):
            rows = slice(ky, ky + self.stride * (self.rows_out - 1) + 1, self.stride)
            for kx in range(self.kernel):
                d_pixels[:, rows, self.columns_met(kx)] += self.patches[:, :, :, ky, kx]


class _Windows(_Unrolled):
    """Windows of image rows, phase by phase: [rows of the phase, n, columns out, kernel, channels] each."""

    def __init__(self, pixels: Tensor, kernels: Tensor, stride: int) -> None:
        super().__init__(pixels, kernels, stride)
        self.phases = []
        for phase in range(min(stride, self.kernel)):
            met = (self.kernel - 1 - phase) // stride + self.rows_out
            view = pixels[:, phase::stride][:, :met].unfold(2, self.kernel, stride).permute(1, 0, 2, 4, 3)
            self.phases.append(borrow(f"windows {phase}", tuple(view.shape), pixels).copy_(view))

    def matrices(self) -> Iterator[tuple[slice, Tensor]]:
        for ky in range(self.kernel):
            yield slice(ky, ky + 1), self._met_by(ky)

    def laid_out(self, output: Tensor) -> Tensor:
        by_row = output.transpose(0, 1)
        return borrow("sums", tuple(by_row.shape), output).copy_(by_row).view(-1, output.shape[3])

    def sums_for(self, output: Tensor) -> Tensor:
        return borrow("sums", tuple(output.shape), output).view(-1, output.shape[3])

    def write(self, sums: Tensor, output: Tensor) -> None:
        output.copy_(sums.view(self.rows_out, self.images, self.columns_out, -1).transpose(0, 1))

    def add_input_gradient(self, d_sums: Tensor, kernels: Tensor, d_pixels: Tensor) -> None:
        for phase, unrolled in enumerate(self.phases):
            unrolled[self.rows_out :].zero_()  # the rows before are written by the first product
            for ky in range(phase, self.kernel, self.stride):
                met, row = self._met_by(ky), _rows(kernels, slice(ky, ky + 1))
                torch.addmm(met, d_sums, row, beta=int(ky > phase), out=met)
            rows = d_pixels[:, phase :: self.stride][:, : len(unrolled)]
            for kx in range(self.kernel):
                rows[:, :, self.columns_met(kx)] += unrolled[:, :, :, kx].transpose(0, 1)

    def _met_by(self, ky: int) -> Tensor:
        first = ky // self.stride
        rows = self.phases[ky % self.stride][first : first + self.rows_out]
        return rows.view(-1, rows.shape[3] * rows.shape[4])


def _unrolled(pixels: Tensor, kernels: Tensor, stride: int) -> _Unrolled:
    columns = kernels.shape[2] * kernels.shape[3]
    return (_Patches if columns < _FEW_COLUMNS else _Windows)(pixels, kernels, stride)


def _masked(d_output: Tensor, activated: Tensor | None) -> Tensor:
    """The gradient before the ReLU: zero where it gave zero."""
    if activated is None:
        return d_output
    out = borrow("masked", tuple(d_output.shape), d_output)
    masked: Tensor = torch.ops.aten.threshold_backward.grad_input(d_output, activated, 0, grad_input=out)
    return masked


def _channels_inner(tensor: Tensor) -> Tensor:
    """[n, height, width, channels], contiguous; a view where the tensor is in channels_last."""
    return tensor.permute(0, 2, 3, 1).contiguous()


def _rows(kernels: Tensor, rows: slice) -> Tensor:
    """Rows of all kernels, [channels out, rows·kernel·channels], a view."""
    return kernels[:, rows].flatten(2).flatten(1)


def _output_size(pixels: Tensor, kernels: Tensor, stride: int) -> tuple[int, int, int]:
    batch, height, width, _ = pixels.shape
    return batch, (height - kernels.shape[1]) // stride + 1, (width - kernels.shape[2]) // stride + 1


def _chunks(batch: int) -> Iterator[slice]:
    """Few images at a time, so that what is unrolled stays small and in the cache."""
    for start in range(0, batch, _IMAGES_AT_ONCE):
        yield slice(start, start + _IMAGES_AT_ONCE)
