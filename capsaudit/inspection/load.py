"""From a target to its inventory, by way of a child process."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from capsaudit.errors import CapsauditError
from capsaudit.inspection.process import Child, Request, Stage, load_in_child
from capsaudit.inspection.python.arguments import parse_inputs, parse_kwargs
from capsaudit.inspection.targets import find_target
from capsaudit.inventory import Behaviour, Inventory

if TYPE_CHECKING:
    from torch import nn

    from capsaudit.inspection.modules.forward import Arguments
    from capsaudit.inspection.python.candidates import Candidate


Watcher = Callable[[str, Stage], None]
"""Called with a target and what is being done with it."""


def load(
    target: str,
    *,
    kwargs: Sequence[str] | Mapping[str, object] = (),
    inputs: Sequence[str] = (),
    timeout: float = 300,
    folder: Path | None = None,
    examine: Callable[[nn.Module, Inventory, Arguments], Behaviour] | None = None,
    watch: Watcher = lambda *_: None,
    part: str | None = None,
    nonzero: bool = False,
    child: Child | None = None,
) -> Inventory:
    """Take the inventory of a target.

    Args:
        target: A dotted module or Python file with a name, a file of weights, or a folder of them.
        kwargs: Arguments to build the model with, as values or as texts `name=value`.
        inputs: Shapes of the inputs to run it on, such as `1,28,28`, `16:int64` or `input_ids=16:int64`.
        timeout: The time limit in seconds for reading a file, or for importing, building and running a model.
        examine: Determines the behaviour of a model that can be run, in the child process.
        watch: Called with the target and what is being done with it, when that begins.
        folder: The directory that paths and imports are relative to; the current directory by default.
        part: The network to read of a file that has several, or the beginning of the names of its tensors.
        nonzero: Whether to count the values that are not zero, which reads all of them.
        child: The process to load it in, whose current directory is `folder`; one of its own by default.

    Raises:
        CapsauditError: the target cannot be read, imported, built or run, exceeds the time limit, or ends its process.
    """
    if PurePath(target).suffix == ".py":
        raise _no_name(target, folder)
    parsed = find_target(target, folder)
    arguments = dict(kwargs) if isinstance(kwargs, Mapping) else parse_kwargs(kwargs)
    shapes = parse_inputs(inputs)
    if not parsed.kind.startswith("python") and (arguments or shapes):
        raise CapsauditError(f"{target}: is a file; --kwarg and --input apply only to models in Python code")
    if parsed.kind.startswith("python") and part is not None:
        raise CapsauditError(f"{target}: is Python code; --part applies only to files of weights")
    if not parsed.kind.startswith("python") and nonzero:
        raise CapsauditError(
            f"{target}: is a file, of which no values are read; the policy nonzero applies only to models in Python code"
        )
    request = Request(parsed, arguments, shapes, examine, part, nonzero)
    if child is not None:
        return child.load(request, timeout=timeout, watch=partial(watch, target))
    return load_in_child(request, timeout=timeout, folder=folder, watch=partial(watch, target))


def _no_name(target: str, folder: Path | None) -> CapsauditError:
    """A file without the name of a model in it: what could be audited there, as command lines."""
    from capsaudit.inspection.python.candidates import candidates

    found = candidates((folder or Path()) / target)
    if not found:
        return CapsauditError(f"{target} does not name a model in the file; no class or function in it seems to be one")
    return CapsauditError(
        f"{target} does not name a model in the file; these could be audited",
        choices=[_command(target, each) for each in found],
    )


def _command(target: str, model: Candidate) -> str:
    arguments = [f"--kwarg {name}=…" for name in model.required]
    return " ".join(["capsaudit audit", shlex.quote(f"{target}:{model.name}"), *arguments])


def inventory_of(model: nn.Module | str, *, nonzero: bool = False) -> Inventory:
    """Take the inventory of a module, or of a target by name, without running it.

    Raises:
        CapsauditError: as `load`.
    """
    if isinstance(model, str):
        return load(model, nonzero=nonzero)
    from capsaudit.inspection.module import inspect_module

    return inspect_module(model, type(model).__name__, nonzero=nonzero)
