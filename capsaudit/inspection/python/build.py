"""Building a user's model: a class is instantiated with its defaults, a function is called, an instance is used as it is."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType

import torch
from msgspec import Struct
from torch import nn

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import translate_errors
from capsaudit.inspection.modules.forward import Arguments, by_name, in_order, probe_inputs
from capsaudit.inspection.process import Input
from capsaudit.inspection.python.arguments import FLOAT
from capsaudit.inspection.python.importing import import_target
from capsaudit.inspection.targets import Target
from capsaudit.validation import nearest

_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Loaded(Struct, frozen=True):
    """A model, the example inputs that its factory returned with it, and notes on how it was made."""

    module: nn.Module
    example: Arguments | None = None
    notes: tuple[str, ...] = ()


def load_python(target: Target, kwargs: Mapping[str, object], *, imported: Callable[[], None] = lambda: None) -> Loaded:
    """Import the module that contains the target, and build the model. `imported` is called in between.

    Raises:
        CapsauditError: the module cannot be imported, has no such attribute, or the attribute does not give an `nn.Module`.
    """
    found = load_attribute(target, imported=imported)
    return _instance(found, target, kwargs) if isinstance(found, nn.Module) else _built(found, target, kwargs)


def load_attribute(target: Target, *, imported: Callable[[], None] = lambda: None) -> object:
    """Import the module that contains the target, and return what it names. `imported` is called in between.

    Raises:
        CapsauditError: the module cannot be imported, or has no such attribute.
    """
    sys.argv = [target.source]  # a user's module may parse it
    found: object = import_target(target)
    imported()
    for name in target.name.split("."):
        found = _attribute(found, name, target)
    return found


def example_inputs(module: nn.Module, inputs: Sequence[Input]) -> Arguments:
    """Inputs of these shapes, without the batch, and dtypes; the usual dtype stands for the module's own.

    Those with a name are keyword arguments, or, where all have one and forward has no such parameters, a dict as its one argument.

    Raises:
        CapsauditError: one by position and one by keyword are for the same parameter.
    """
    dtypes = [None if each.dtype == FLOAT else getattr(torch, each.dtype) for each in inputs]
    made = probe_inputs(module, [each.shape for each in inputs], dtypes=dtypes)
    named = {each.name: tensor for each, tensor in zip(inputs, made, strict=True) if each.name}
    unnamed = [tensor for each, tensor in zip(inputs, made, strict=True) if not each.name]
    if not unnamed and named:
        return by_name(module, named)
    positional, keywords = in_order(module, unnamed)
    if both := sorted(keywords.keys() & named.keys()):
        raise CapsauditError(f"--input: {both[0]} is given by its name and by its position")
    return Arguments(positional, {**keywords, **named})


def _attribute(holder: object, name: str, target: Target) -> object:
    missing = object()
    with translate_errors(f"{target.text}: reading {name} failed"):
        found: object = getattr(holder, name, missing)
    if found is missing:
        raise CapsauditError(f"{target.text}: {_noun(holder)} has no attribute {name!r}; {_hint(name, holder)}")
    return found


def _noun(holder: object) -> str:
    if isinstance(holder, ModuleType):
        return "module"
    return "class" if isinstance(holder, type) else "object"


def _hint(name: str, holder: object) -> str:
    attributes: Mapping[str, object] = getattr(holder, "__dict__", {})
    known = [other for other, value in attributes.items() if not other.startswith("_") and _is_target(value, holder)]
    return nearest(name, known) if known else "it defines no class or function"


def _is_target(value: object, holder: object) -> bool:
    """Whether it may be meant as a target: a model, or a class or function that its module defines."""
    if isinstance(value, nn.Module) or not isinstance(holder, ModuleType):
        return True
    return callable(value) and getattr(value, "__module__", None) == holder.__name__


def _instance(module: nn.Module, target: Target, kwargs: Mapping[str, object]) -> Loaded:
    if kwargs:
        raise CapsauditError(f"{target.text}: is already an instance; --kwarg applies only to classes and functions")
    return Loaded(module, None, (f"{target.name} is an instance and was used as it is",))


def _built(factory: object, target: Target, kwargs: Mapping[str, object]) -> Loaded:
    if not callable(factory):
        what = f"is {_description(factory)}; expected an nn.Module, or a class or function that returns one"
        raise CapsauditError(f"{target.text}: {what}")
    if faults := list(_argument_faults(factory, kwargs)):
        raise CapsauditError(*(f"{target.text}: {fault}" for fault in faults))
    with translate_errors(f"{target.text}: building the model failed"):
        made = factory(**kwargs)
    arguments = ", ".join(f"{name}={value!r}" for name, value in kwargs.items())
    return _unpacked(made, target, f"{target.name}({arguments}) was called")


def _argument_faults(factory: Callable[..., object], kwargs: Mapping[str, object]) -> Iterator[str]:
    """Compare arguments and signature before the call, because Python would report one fault only."""
    parameters = _parameters(factory)
    if parameters is None:
        return
    named = {p.name: p for p in parameters if p.kind in _KEYWORDS}
    for name in kwargs:
        if name not in named and not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            yield f"has no argument {name!r}; {nearest(name, named) if named else 'it takes no arguments'}"
    required = [p for p in parameters if p.default is p.empty and p.name not in kwargs]
    if names := [p.name for p in required if p.kind in _KEYWORDS]:
        options = " ".join(f"--kwarg {name}=…" for name in names)
        yield f"requires {', '.join(names)}; pass {options}, or name a function without arguments that builds the model"
    if names := [p.name for p in required if p.kind is inspect.Parameter.POSITIONAL_ONLY]:
        yield f"requires positional arguments: {', '.join(names)}; name a function without arguments that builds the model"


def _parameters(factory: Callable[..., object]) -> list[inspect.Parameter] | None:
    """The parameters of a callable; None if it has no signature, as some native code."""
    try:
        return list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):
        return None


def _unpacked(made: object, target: Target, note: str) -> Loaded:
    """A factory returns a model, or a model and its example inputs."""
    if isinstance(made, nn.Module):
        return Loaded(made, None, (note,))
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module):
        return Loaded(made[0], _example(*made, target), (note, "it returned the inputs too"))
    what = f"returns {_description(made)}; expected an nn.Module, or a tuple of one and its example inputs"
    raise CapsauditError(f"{target.text}: {what}")


def _example(module: nn.Module, inputs: object, target: Target) -> Arguments | None:
    if isinstance(inputs, torch.Tensor):
        return Arguments((inputs,))
    if isinstance(inputs, tuple | list):
        return Arguments(tuple(inputs))
    if isinstance(inputs, Mapping):
        return by_name(module, inputs)
    if inputs is None:
        return None
    what = f"returns {_description(inputs)} as example inputs; expected a tensor, a tuple of arguments, or a dict of keyword arguments"
    raise CapsauditError(f"{target.text}: {what}")


def _description(value: object) -> str:
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(type(item).__name__ for item in value) or 'nothing'}"
    return "None" if value is None else f"a value of type {type(value).__name__}"
