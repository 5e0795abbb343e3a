"""Importing a user's code, by its dotted name or from a file.

Helper modules are found as by `python file.py`, also those imported later by a forward pass. No bytecode is written beside the code.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import location, one_line
from capsaudit.inspection.paths import expect_file
from capsaudit.inspection.targets import Target


def import_target(target: Target) -> ModuleType:
    """Import the module that contains the target.

    Raises:
        CapsauditError: the module does not exist or cannot be imported.
    """
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    is_file = target.kind == "python file"
    if is_file:
        expect_file(Path(target.source))
    try:
        return _import_file(Path(target.source)) if is_file else _import_by_name(target.source)
    except BaseException as error:
        raise CapsauditError(f"{target.source}: {_import_problem(target, error)}") from error


def _import_by_name(name: str) -> ModuleType:
    _put_first(Path.cwd())
    return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    path = path.resolve()
    _put_first(path.parent)
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no loader for {path.name}")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _module_name(path: Path) -> str:
    """The name of the file, which helpers and pickles refer to, unless another module has it, such as json."""
    name = path.stem.replace(".", "_")
    file = getattr(sys.modules.get(name), "__file__", None)
    is_taken = name in sys.stdlib_module_names or (name in sys.modules and file != str(path))
    return f"capsaudit_target_{name}" if is_taken else name


def _put_first(folder: Path) -> None:
    """Make a directory the first entry of `sys.path`."""
    text = str(folder)
    sys.path[:] = [text, *(entry for entry in sys.path if entry != text)]


def _import_problem(target: Target, error: BaseException) -> str:
    """Why the import failed, with a remedy if there is one."""
    where = location(error)
    if isinstance(error, SyntaxError):
        file = Path(error.filename).name if error.filename else target.source
        line = f", line {error.lineno}" if error.lineno else ""  # a zero byte has none
        return f"cannot be imported: {type(error).__name__} in {file}{line}: {error.msg}"
    if isinstance(error, SystemExit):
        return f'exits when it is imported{where}; move that code below if __name__ == "__main__":'
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(target, error.name, where)
    if isinstance(error, ImportError) and "no known parent package" in str(error):
        return f"uses relative imports{where}; {_as_package(target)}"
    return f"cannot be imported: {one_line(error)}{where}"


def _missing_module(target: Target, name: str, where: str) -> str:
    """The missing module is the target itself or one of its packages, or a module that it imports, perhaps of its own package."""
    if target.kind == "python module" and f"{target.source}.".startswith(f"{name}."):
        return f"no module named {name!r}, neither installed nor in {Path.cwd()}"
    top = name.partition(".")[0]
    parents = Path(target.source).resolve().parents if target.kind == "python file" else ()
    if root := next(
        (parent for parent in parents if (parent / top).is_dir() or (parent / f"{top}.py").is_file()), None
    ):
        return f"requires the module {name!r}{where}; {_dotted(target, root)}"
    return f"requires the module {name!r}{where}, which is not installed; install it or add its directory to PYTHONPATH"


def _as_package(target: Target) -> str:
    """How to name a file whose package is the folders above it that have an `__init__.py`, at least the one that it is in."""
    if target.kind == "python module":
        return "name it as package.module:Name from the parent directory of the package"
    folders = Path(target.source).resolve().parents
    return _dotted(target, next(parent for parent in folders[1:] if not (parent / "__init__.py").exists()))


def _dotted(target: Target, root: Path) -> str:
    """The same target by its dotted name, and where to name it so."""
    parts = Path(target.source).resolve().relative_to(root).with_suffix("").parts
    if not all(part.isidentifier() for part in parts):
        return f"add {root} to PYTHONPATH"
    return f"name it as {'.'.join(parts)}:{target.name} in the directory {root}"
