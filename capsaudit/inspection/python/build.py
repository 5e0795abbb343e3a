"""Somebody else's model as a module of torch: a class built with its defaults, a function called, an instance taken as it is."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import torch
from msgspec import Struct
from torch import nn

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import told
from capsaudit.inspection.python.importing import as_a_script, import_target
from capsaudit.inspection.targets import Target
from capsaudit.validation import nearest

_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Loaded(Struct, frozen=True):
    """A model ready to be looked at. `inputs`: what it is called with, where its factory says so. `notes`: how it came about."""

    module: nn.Module
    inputs: tuple[Any, ...] | None = None
    notes: tuple[str, ...] = ()


def load_python(target: Target, kwargs: Mapping[str, object]) -> Loaded:
    """Import what holds the target, and build the model.

    Raises:
        CapsauditError: it does not import, has no such name, cannot be built, or is no model.
    """
    with as_a_script(target.source):
        found: object = import_target(target)
        for part in target.name.split("."):
            found = _member(found, part, target)
        return _taken(found, target, kwargs) if isinstance(found, nn.Module) else _built(found, target, kwargs)


def _member(holder: object, name: str, target: Target) -> object:
    missing = object()
    with told(f"{target.text}: {name} cannot be had"):
        found = getattr(holder, name, missing)
    if found is missing:
        raise CapsauditError(f"{target.text}: there is no {name!r} in it; {_hint(name, holder)}")
    return found


def _hint(name: str, holder: object) -> str:
    known = [other for other, value in vars(holder).items() if not other.startswith("_") and _is_meant(value, holder)]
    return nearest(name, known) if known else "it defines no class and no function"


def _is_meant(value: object, holder: object) -> bool:
    """Whether somebody may want it audited: a model, or a class or function that is the holder's own."""
    if isinstance(value, nn.Module) or not isinstance(holder, ModuleType):
        return True
    return callable(value) and getattr(value, "__module__", None) == holder.__name__


def _taken(module: nn.Module, target: Target, kwargs: Mapping[str, object]) -> Loaded:
    if kwargs:
        raise CapsauditError(f"{target.text}: is a model already, built by its file; it takes no --kwarg")
    return Loaded(module, None, (f"{target.name} was built by its file",))


def _built(maker: object, target: Target, kwargs: Mapping[str, object]) -> Loaded:
    if not callable(maker):
        what = f"is {_kind(maker)}; expected an nn.Module, or a class or function that gives one"
        raise CapsauditError(f"{target.text}: {what}")
    if faults := list(_argument_faults(maker, kwargs)):
        raise CapsauditError("\n".join(f"{target.text}: {fault}" for fault in faults))
    with told(f"{target.text}: raises while being built"):
        made = maker(**kwargs)
    given = ", ".join(f"{name}={value!r}" for name, value in kwargs.items())
    return _unpacked(made, target, f"{target.name}({given}) was called")


def _argument_faults(maker: Any, kwargs: Mapping[str, object]) -> Iterator[str]:
    """What it takes and what it is given, compared before it is called: its own error would name one of them at most."""
    parameters = _parameters(maker)
    if parameters is None:
        return
    named = {p.name: p for p in parameters if p.kind in _KEYWORDS}
    for name in kwargs:
        if name not in named and not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            yield f"takes no argument {name!r}; {nearest(name, named) if named else 'it takes none at all'}"
    needed = [p for p in parameters if p.default is p.empty and p.name not in kwargs]
    if names := [p.name for p in needed if p.kind in _KEYWORDS]:
        options = " ".join(f"--kwarg {name}=…" for name in names)
        yield f"needs {', '.join(names)}: give {options}, or name a function without arguments that builds the model"
    if names := [p.name for p in needed if p.kind is inspect.Parameter.POSITIONAL_ONLY]:
        yield f"needs {', '.join(names)} by position; name a function without arguments that builds the model"


def _parameters(maker: Any) -> list[inspect.Parameter] | None:
    """What it takes; None where Python cannot tell, as of some native code."""
    try:
        return list(inspect.signature(maker).parameters.values())
    except (TypeError, ValueError):
        return None


def _unpacked(made: object, target: Target, note: str) -> Loaded:
    """A model, or a model and what to feed it."""
    if isinstance(made, nn.Module):
        return Loaded(made, None, (note,))
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module):
        return Loaded(made[0], _inputs(made[1], target), (note, "the inputs came with it"))
    what = f"gives {_kind(made)}; expected an nn.Module, or a tuple of one and its example inputs"
    raise CapsauditError(f"{target.text}: {what}")


def _inputs(given: object, target: Target) -> tuple[Any, ...] | None:
    if isinstance(given, torch.Tensor):
        return (given,)
    if isinstance(given, tuple | list):
        return tuple(given)
    if given is None:
        return None
    what = f"gives {_kind(given)} as example inputs; expected a tensor, or a tuple with an item for each argument"
    raise CapsauditError(f"{target.text}: {what}")


def _kind(value: object) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(type(item).__name__ for item in value) or 'nothing'}"
    return "None" if value is None else f"a value of type {type(value).__name__}"
