"""Importing a user's modules: helper modules, names that clash, and what is reported when an import fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.python.importing import import_target
from capsaudit.inspection.targets import parse_target
from tests.inspection.python.user_code import write

ZERO_BYTE = (
    "SyntaxError in net.py: source code string" if sys.version_info >= (3, 11, 4) else "ValueError: source code string"
)
"""What Python raises for one, without a line."""


def refusal(text: str) -> str:
    with pytest.raises(CapsauditError) as caught:
        import_target(parse_target(text))
    return str(caught.value)


def test_helper_modules_beside_the_file_are_found_by_the_import_and_later(tmp_path: Path) -> None:
    write("zoo/sizes.py", "WIDTH = 5")
    write("zoo/late.py", "def half(x): return x / 2")
    write("zoo/model.py", "from sizes import WIDTH\ndef later(x):\n    from late import half\n    return half(x)")
    module = import_target(parse_target("zoo/model.py:Net"))
    assert (module.WIDTH, module.later(6)) == (5, 3)
    assert sys.path[0] == str(tmp_path / "zoo")
    assert not list(tmp_path.rglob("__pycache__"))


def test_python_itself_would_write_bytecode_there(tmp_path: Path) -> None:
    """This shows that the last line of the test above can fail."""
    write("helper.py", "")
    subprocess.run([sys.executable, "-c", "import helper"], cwd=tmp_path, check=True, env={"PYTHONPATH": str(tmp_path)})
    assert list(tmp_path.rglob("__pycache__"))


def test_a_dotted_name_is_imported_from_the_current_directory(tmp_path: Path) -> None:
    write("zoo/net.py", "number = 3")
    assert import_target(parse_target("zoo.net:number")).number == 3
    assert sys.path[0] == str(tmp_path)


def test_a_file_becomes_a_module_of_its_own_name() -> None:
    write("zoo/net.py")
    module = import_target(parse_target("zoo/net.py:Net"))
    assert module.__name__ == module.Net.__module__ == "net"
    assert sys.modules["net"] is module


@pytest.mark.parametrize("name", ["json", "torch"])
def test_a_file_may_have_the_name_of_a_loaded_module(name: str) -> None:
    other = __import__(name)
    write(f"zoo/{name}.py", "number = 3")
    assert import_target(parse_target(f"zoo/{name}.py:number")).__name__ == f"capsaudit_target_{name}"
    assert sys.modules[name] is other


def test_a_file_may_have_the_name_of_a_standard_module_that_is_not_loaded() -> None:
    assert "zipapp" not in sys.modules
    write("zoo/zipapp.py", "number = 3")
    assert import_target(parse_target("zoo/zipapp.py:number")).__name__ == "capsaudit_target_zipapp"
    assert "zipapp" not in sys.modules


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("x = (\n", "net.py: cannot be imported: SyntaxError in net.py, line 1: '(' was never closed", id="syntax"),
        pytest.param("import helper", "net.py: cannot be imported: SyntaxError in helper.py, line 2: invalid", id="syntax of a helper"),
        pytest.param("if 1:\nx", "net.py: cannot be imported: IndentationError in net.py, line 2", id="indentation"),
        pytest.param("x = '\0'", f"net.py: cannot be imported: {ZERO_BYTE}", id="a zero byte"),
        pytest.param("\n1 / 0", "net.py: cannot be imported: ZeroDivisionError: division by zero (net.py, line 2)", id="error"),
        pytest.param("import sys\nsys.exit(3)", "net.py: exits when it is imported (net.py, line 2); move that code below", id="exit"),
        pytest.param("import absent_package", "net.py: requires the module 'absent_package' (net.py, line 1), which is not", id="dependency"),
        pytest.param("import os.absent", "net.py: requires the module 'os.absent'", id="part of a dependency"),
        pytest.param("from os import absent", "net.py: cannot be imported: ImportError: cannot import name 'absent'", id="name"),
        pytest.param("from .layers import X", "net.py: uses relative imports (net.py, line 1); name it as ", id="relative"),
        pytest.param("raise KeyboardInterrupt", "net.py: cannot be imported: KeyboardInterrupt (net.py, line 1)", id="interrupt"),
        pytest.param("class B(BaseException): pass\nraise B('x')", "net.py: cannot be imported: B: x (net.py, line 2)", id="any error"),
    ],
)  # fmt: skip
def test_a_failed_import_is_reported_in_one_line(content: str, message: str) -> None:
    write("net.py", content)
    write("helper.py", "\nx = = 1")
    reported = refusal("net.py:Net")
    assert reported.startswith(message)
    assert len(reported.splitlines()) == 1
    assert "net" not in sys.modules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("absent.py:Net", "absent.py: file not found (current directory: ", id="no file"),
        pytest.param("folder.py:Net", "folder.py: is a directory; expected a file", id="directory"),
        pytest.param("absent:Net", "absent: no module named 'absent', neither installed nor in ", id="no module"),
        pytest.param("absent.net:Net", "absent.net: no module named 'absent', neither installed", id="no package"),
        pytest.param("zoo.absent:Net", "no module named 'zoo.absent', neither installed", id="no module in a package"),
    ],
)
def test_a_missing_file_or_module_is_reported(text: str, message: str) -> None:
    write("zoo/__init__.py", "")
    Path("folder.py").mkdir()
    assert message in refusal(text)


def test_a_module_that_lacks_a_dependency_is_not_reported_as_missing() -> None:
    write("zoo/net.py", "import absent_package")
    expected = "zoo.net: requires the module 'absent_package' (net.py, line 1), which is not installed"
    assert refusal("zoo.net:Net").startswith(expected)


def test_a_file_of_a_package_is_to_be_named_by_its_dotted_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is followed."""
    write("repository/lab/__init__.py", "")
    write("repository/lab/models/__init__.py", "")
    write("repository/lab/sizes.py", "WIDTH = 5")
    for name, code in {"relative": "from ..sizes import WIDTH", "absolute": "from lab.sizes import WIDTH"}.items():
        write(f"repository/lab/models/{name}.py", code)
        hint = f"name it as lab.models.{name}:Net in the directory {tmp_path / 'repository'}"
        assert refusal(f"repository/lab/models/{name}.py:Net").endswith(f"({name}.py, line 1); {hint}")
    monkeypatch.chdir("repository")
    assert import_target(parse_target("lab.models.relative:Net")).WIDTH == 5
    assert import_target(parse_target("lab.models.absolute:Net")).WIDTH == 5


def test_a_script_that_needs_the_folder_above_is_to_have_it_on_the_path(tmp_path: Path) -> None:
    """A folder whose name is no identifier is no package."""
    write("helper.py", "")
    write("my-models/net.py", "import helper")
    expected = f"my-models/net.py: requires the module 'helper' (net.py, line 1); add {tmp_path} to PYTHONPATH"
    assert refusal("my-models/net.py:Net") == expected
