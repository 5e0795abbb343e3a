"""From a target by name to what it holds, each kind by its own road. Only those that need torch import it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.rows import UNTOLD
from capsaudit.inspection.python.arguments import FLOAT, parse_inputs, parse_kwargs
from capsaudit.inspection.targets import Target, parse_target
from capsaudit.inventory import Inventory


def load(
    target: str,
    *,
    kwargs: Sequence[str] | Mapping[str, object] = (),
    inputs: Sequence[str] = (),
    timeout: float = 300,
    folder: Path | None = None,
) -> Inventory:
    """What the target holds. `folder`: where a path in it begins, the current directory by default.

    Raises:
        CapsauditError: it cannot be read, loaded, built or run, or takes too long.
    """
    parsed = parse_target(target)
    given = dict(kwargs) if isinstance(kwargs, Mapping) else parse_kwargs(kwargs)
    shapes = parse_inputs(inputs)
    if parsed.kind.startswith("python"):
        with _inside(folder):
            return _python(parsed, given, shapes, timeout)
    if given or shapes:
        raise CapsauditError(f"{target}: is a file; --kwarg and --input are for targets that are built and run")
    return _file(parsed, Path(parsed.source) if folder is None else folder / parsed.source)


def _file(target: Target, path: Path) -> Inventory:
    if target.kind == "safetensors":
        from capsaudit.inspection.files.safetensors import read_header

        return Inventory(target=target.text, tensors=read_header(path), notes=(UNTOLD,))
    from capsaudit.inspection.files.checkpoint import checkpoint_contents

    contents = checkpoint_contents(path)
    return Inventory(target=target.text, tensors=contents.tensors, notes=contents.notes)


def _python(
    target: Target, kwargs: Mapping[str, object], shapes: Sequence[tuple[tuple[int, ...], str]], timeout: float
) -> Inventory:
    """Importing, building and running are all the target's own code."""
    import torch

    from capsaudit.inspection.module import taken
    from capsaudit.inspection.modules.probe import probe_inputs
    from capsaudit.inspection.python.build import load_python
    from capsaudit.inspection.python.sandbox import output_to_stderr, time_limit

    with output_to_stderr(), time_limit(timeout, target.text):
        loaded = load_python(target, kwargs)
        dtypes = [None if name == FLOAT else getattr(torch, name) for _, name in shapes]
        made = probe_inputs(loaded.module, [shape for shape, _ in shapes], dtypes=dtypes) if shapes else loaded.inputs
        return taken(loaded.module, target.text, inputs=made, notes=loaded.notes)


@contextmanager
def _inside(folder: Path | None) -> Iterator[None]:
    """A folder as the current directory, as where the target's paths and imports begin."""
    before = Path.cwd()
    if folder is not None:
        os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
