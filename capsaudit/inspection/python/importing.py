"""Somebody else's Python, imported: by its dotted name, or from a file as a module of its own name.

Imported code finds its helper modules as `python file.py` would, also later, when its forward pass imports one. Nothing is written
beside it: an audit leaves a folder as it was.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import TimeUp, in_a_line, place_of
from capsaudit.inspection.paths import expect_file
from capsaudit.inspection.targets import Target


def import_target(target: Target) -> ModuleType:
    """The module that holds the target.

    Raises:
        CapsauditError: it is not there, or does not import.
    """
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    if target.kind == "python file":
        expect_file(Path(target.source))
    try:
        return _from_file(Path(target.source)) if target.kind == "python file" else _by_name(target.source)
    except (KeyboardInterrupt, TimeUp):
        raise
    except BaseException as error:
        raise CapsauditError(f"{target.source}: {_why(target, error)}") from error


@contextmanager
def as_a_script(name: str) -> Iterator[None]:
    """Without this program's own arguments, which a parser in somebody else's module would take for its own."""
    kept = sys.argv
    sys.argv = [name]
    try:
        yield
    finally:
        sys.argv = kept


def _by_name(name: str) -> ModuleType:
    _put_first(Path.cwd())
    return importlib.import_module(name)


def _from_file(path: Path) -> ModuleType:
    whole = path.resolve()
    _put_first(whole.parent)
    name = _free_name(whole)
    spec = importlib.util.spec_from_file_location(name, whole)
    if spec is None or spec.loader is None:
        raise ImportError(f"no loader for {whole.name}")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _free_name(path: Path) -> str:
    """The file's own name, which its pickles and helpers know it by, unless another module has it: a model in json.py."""
    name = path.stem.replace(".", "_")
    file = getattr(sys.modules.get(name), "__file__", None)
    taken = name in sys.stdlib_module_names or (name in sys.modules and file != str(path))
    return f"capsaudit_target_{name}" if taken else name


def _put_first(folder: Path) -> None:
    text = str(folder)
    sys.path[:] = [text, *(entry for entry in sys.path if entry != text)]


def _why(target: Target, error: BaseException) -> str:
    """Why it does not import; some reasons have a remedy of their own."""
    if isinstance(error, SyntaxError):
        file = Path(error.filename).name if error.filename else target.source
        return f"does not import: {type(error).__name__} in {file}, line {error.lineno}: {error.msg}"
    if isinstance(error, SystemExit):
        return f'ends the program when imported{place_of(error)}; put what ends it below if __name__ == "__main__":'
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing(target, error.name, place_of(error))
    if isinstance(error, ImportError) and "no known parent package" in str(error):
        return f"imports its neighbours as part of a package{place_of(error)}; name it as package.module:Name from the folder above"
    return f"does not import: {in_a_line(error)}{place_of(error)}"


def _missing(target: Target, name: str, place: str) -> str:
    """A module that is not there: the one that was named, or one that it needs."""
    if target.kind == "python module" and f"{target.source}.".startswith(f"{name}."):
        return f"there is no module {name!r}, neither installed nor in {Path.cwd()}"
    return f"needs the module {name!r}{place}, which is not here; install it, or put its folder on PYTHONPATH"
