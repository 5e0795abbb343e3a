"""From a target to its inventory. Only the kinds of target that need torch import it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from capsaudit.arithmetic import Shape
from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED
from capsaudit.inspection.python.arguments import FLOAT, parse_inputs, parse_kwargs
from capsaudit.inspection.targets import Target, parse_target
from capsaudit.inventory import Inventory

if TYPE_CHECKING:
    from torch import nn


def load(
    target: str,
    *,
    kwargs: Sequence[str] | Mapping[str, object] = (),
    inputs: Sequence[str] = (),
    timeout: float = 300,
    folder: Path | None = None,
) -> Inventory:
    """Take the inventory of a target.

    Args:
        target: A dotted module or Python file with a name, a safetensors file, or a checkpoint.
        kwargs: Arguments to build the model with, as values or as texts `name=value`.
        inputs: Shapes of the inputs to run it on, such as `1,28,28` or `16:int64`.
        timeout: The time limit in seconds for importing, building and running the model.
        folder: The directory that paths and imports are relative to; the current directory by default.

    Raises:
        CapsauditError: the target cannot be read, imported, built or run, or exceeds the time limit.
    """
    parsed = parse_target(target)
    arguments = dict(kwargs) if isinstance(kwargs, Mapping) else parse_kwargs(kwargs)
    shapes = parse_inputs(inputs)
    if parsed.kind.startswith("python"):
        with _inside(folder):
            return _load_python(parsed, arguments, shapes, timeout)
    if arguments or shapes:
        raise CapsauditError(f"{target}: is a file; --kwarg and --input apply only to models in Python code")
    return _load_file(parsed, Path(parsed.source) if folder is None else folder / parsed.source)


def inventory_of(model: nn.Module | str) -> Inventory:
    """Take the inventory of a module, or of a target by name, without running it.

    Raises:
        CapsauditError: as `load`.
    """
    if isinstance(model, str):
        return load(model)
    from capsaudit.inspection.module import inspect_module

    return inspect_module(model, type(model).__name__)


@contextmanager
def _inside(folder: Path | None) -> Iterator[None]:
    """Change the current directory."""
    before = Path.cwd()
    if folder is not None:
        os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _load_python(
    target: Target, kwargs: Mapping[str, object], shapes: Sequence[tuple[Shape, str]], timeout: float
) -> Inventory:
    """Importing, building and running execute a user's code, so all of it is inside the limits."""
    import torch

    from capsaudit.inspection.module import inspect_module
    from capsaudit.inspection.modules.forward import probe_inputs
    from capsaudit.inspection.python.build import load_python
    from capsaudit.inspection.python.sandbox import output_to_stderr, time_limit

    with output_to_stderr(), time_limit(timeout, target.text):
        loaded = load_python(target, kwargs)
        dtypes = [None if name == FLOAT else getattr(torch, name) for _, name in shapes]
        made = probe_inputs(loaded.module, [shape for shape, _ in shapes], dtypes=dtypes) if shapes else loaded.inputs
        return inspect_module(loaded.module, target.text, inputs=made, notes=loaded.notes)


def _load_file(target: Target, path: Path) -> Inventory:
    if target.kind == "safetensors":
        from capsaudit.inspection.files.safetensors import read_header

        return Inventory(target=target.text, tensors=read_header(path), notes=(TRAINABLE_ASSUMED,))
    from capsaudit.inspection.files.checkpoint import checkpoint_contents

    contents = checkpoint_contents(path)
    return Inventory(target=target.text, tensors=contents.tensors, notes=contents.notes)
