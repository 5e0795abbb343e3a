"""What in a Python file could be audited, found in its text: nothing is run, so what is computed is not seen."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.inspection.paths import open_file


class Candidate(Struct, frozen=True):
    """A class, a function or a variable that seems to be or to give a module, and the arguments that it requires."""

    name: str
    required: tuple[str, ...] = ()


def candidates(path: Path) -> tuple[Candidate, ...]:
    """The public ones of a file, in its order.

    Raises:
        CapsauditError: there is no such file, or it is not Python.
    """
    with open_file(path) as stream:
        text = stream.read()
    try:
        return tuple(_candidates(ast.parse(text).body))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise CapsauditError(f"{path}{line}: is not Python: {getattr(error, 'msg', error)}") from error


def _candidates(body: list[ast.stmt]) -> Iterator[Candidate]:
    models: set[str] = set()
    imported = set(_imported(body))
    for statement in body:
        if found := _candidate(statement, models, imported):
            models.add(found.name)
            if not found.name.startswith("_"):
                yield found


def _candidate(statement: ast.stmt, models: Collection[str], imported: Collection[str]) -> Candidate | None:
    """`models`: the candidates above it. Of a class, `self` is no argument; one whose base is imported has methods of a module."""
    match statement:
        case ast.ClassDef(name=name, bases=bases, body=body):
            methods = {each.name: each for each in body if isinstance(each, ast.FunctionDef)}
            known = {*models, *imported} if {"__init__", "forward"} & methods.keys() else models
            if any(_is_module(base, known) for base in bases):
                return Candidate(name, _required(methods["__init__"])[1:] if "__init__" in methods else ())
        case ast.FunctionDef(name=name) if _returns_module(statement, models):
            return Candidate(name, _required(statement))
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=called)) if _is_module(called, models):
            return Candidate(name)
    return None


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    """Names from other modules than Python's own: a class of such a name may be a module."""
    for statement in body:
        if isinstance(statement, ast.ImportFrom):
            package = (statement.module or "").partition(".")[0]
            if statement.level or package not in sys.stdlib_module_names:
                yield from (alias.asname or alias.name for alias in statement.names)


def _is_module(named: ast.expr, models: Collection[str]) -> bool:
    """Whether it names something of `nn`, such as `torch.nn.Sequential`, a class called Module, or one of `models`."""
    *path, name = ast.unparse(named).split(".")
    return path[-1:] == ["nn"] or name == "Module" or (not path and name in models)


def _returns_module(function: ast.FunctionDef, models: Collection[str]) -> bool:
    """Whether its annotation says so, or it returns what it has made; also the first of a tuple, with example inputs behind it."""
    if function.returns is not None and _is_module(function.returns, models):
        return True
    made = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _is_module(node.value.func, models)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    firsts = [value.elts[0] if isinstance(value, ast.Tuple) and value.elts else value for value in returned]
    return any(
        (isinstance(value, ast.Call) and _is_module(value.func, models))
        or (isinstance(value, ast.Name) and value.id in made)
        for value in firsts
    )


def _required(function: ast.FunctionDef) -> tuple[str, ...]:
    """Its arguments without a default."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    keywords = [each for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None]
    return tuple(each.arg for each in (*positional[: len(positional) - len(given.defaults)], *keywords))
