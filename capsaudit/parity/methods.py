"""Methods of a model that are called after its forward, since some models run their decoder only in `loss`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import NamedTuple

from torch import nn

from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.forward import Arguments
from capsaudit.parity.arguments import Given, Known, arrangements, called, shown
from capsaudit.validation import nearest


class MethodCall(NamedTuple):
    """A method, and arguments that it runs with, for any copy of its model."""

    name: str
    arguments: Arguments

    def __call__(self, module: nn.Module, known: Known) -> object:
        """What the method returns.

        Raises:
            CapsauditError: it raised an error.
        """
        return called(self.name, method_of(module, self.name), self.arguments, known)


def method_call(module: nn.Module, name: str, known: Known, likely: Sequence[Given]) -> MethodCall:
    """The method with the first arguments that it runs with, found by the names of its parameters.

    Raises:
        CapsauditError: there is no such method, or it raised an error for all arguments that were tried.
    """
    tried: list[str] = []
    for arguments in arrangements(method_of(module, name), known, likely):
        made = MethodCall(name, arguments)
        try:
            made(module, known)
        except CapsauditError as error:
            tried += error.faults
        else:
            return made
    raise CapsauditError(f"the method {name} of the model did not run: {shown(tried)}")


def method_of(module: nn.Module, name: str) -> Callable[..., object]:
    """A method by its name.

    Raises:
        CapsauditError: the model's class has none of this name.
    """
    if name.isidentifier() and callable(getattr(type(module), name, None)):
        return getattr(module, name)  # type: ignore[no-any-return]
    own = [each for each in _own_functions(module) if _is_public(each)]
    hint = nearest(name, own) if own else "its class defines none besides forward"
    raise CapsauditError(f"{type(module).__name__} has no method {name!r}; {hint}")


def methods_that_use(module: nn.Module, tensor: str) -> list[str]:
    """The public methods, besides forward, whose code names the attribute that holds a tensor, or another method that does."""
    functions = _own_functions(module)
    using = {tensor.partition(".")[0]}
    while more := {name for name, names in functions.items() if using & names and name not in using}:
        using |= more
    return [name for name in functions if name in using and _is_public(name)]


def _is_public(name: str) -> bool:
    return not name.startswith("_") and name != "forward"


def _own_functions(module: nn.Module) -> dict[str, set[str]]:
    """The functions that the model's classes define, up to `nn.Module`, and the names in their code."""
    found: dict[str, set[str]] = {}
    classes = type(module).__mro__
    for owner in classes[: classes.index(nn.Module)]:
        for name, function in vars(owner).items():
            if inspect.isfunction(function):
                found.setdefault(name, set(_names(function.__code__)))
    return found


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
