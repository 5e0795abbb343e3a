"""The values of tensors in somebody's file. No code in it is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.checkpoint import checkpoint_values
from capsaudit.inspection.files.read import kind_of
from capsaudit.inspection.files.safetensors import read_header
from capsaudit.inspection.foreign_errors import one_line


def read_values(path: Path, names: Sequence[str], part: str | None = None) -> dict[str, Tensor]:
    """These tensors of a safetensors file or a checkpoint, in float32. `part`: which network of a checkpoint that has several.

    Raises:
        CapsauditError: the file cannot be read, or a tensor is no dense one of finite floating-point numbers.
    """
    is_checkpoint = kind_of(path).name == "checkpoint"
    found = checkpoint_values(path, part) if is_checkpoint else dict(_safetensors(path, names))
    return {name: _finite(found[name], name, path) for name in names}


def _safetensors(path: Path, names: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    read_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            for name in names:
                yield name, file.get_tensor(name)
    except Exception as error:  # safetensors' own, or torch's of a dtype that it does not have
        raise CapsauditError(f"{path}: cannot be read: {one_line(error)}") from error


def _finite(tensor: Tensor, name: str, path: Path) -> Tensor:
    if tensor.layout != torch.strided or not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.") if tensor.layout == torch.strided else "sparse"
        raise CapsauditError(f"{path}: {name} is {kind}; expected dense floating-point numbers")
    values = tensor.detach().to(torch.float32)
    if not values.isfinite().all():
        raise CapsauditError(f"{path}: {name} has values that are not finite in float32; expected weights of a network")
    return values
