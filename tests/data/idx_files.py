"""Small IDX files for tests."""

import gzip
from pathlib import Path

import torch
from torch import Tensor


def idx_bytes(tensor: Tensor) -> bytes:
    """A tensor of bytes as an IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in tensor.shape)
    return bytes([0, 0, 8, tensor.dim()]) + sizes + tensor.to(torch.uint8).numpy().tobytes()


def small_mnist(folder: Path, *, train: int = 40, test: int = 20, packed: bool = False) -> Path:
    """Four files in the layout of MNIST, of 28×28 images that are bright where their digit says."""
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count in (("train", train), ("t10k", test)):
        labels = torch.arange(count) % 10
        images = torch.zeros(count, 28, 28)
        images[torch.arange(count), 2 + 2 * labels, 4:24] = 255
        for name, tensor in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            content = idx_bytes(tensor)
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content) if packed else content)
    return folder
