"""Python targets from real files: what is built, what is refused and how that is told; where their output goes; and that they end."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import TimeUp
from capsaudit.inspection.python.build import Loaded, load_python
from capsaudit.inspection.python.sandbox import output_to_stderr, time_limit
from capsaudit.inspection.targets import parse_target

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden=3, *, bias=True):
        super().__init__()
        self.fc = nn.Linear(2, hidden, bias)

class Plain:
    small = nn.Linear(2, 1)
    @staticmethod
    def make():
        return nn.Linear(2, 5)

built = Net(4)

def factory(hidden=6):
    return Net(hidden)
def with_inputs():
    return Net(), (torch.zeros(7, 2), 3)
def with_tensor():
    return Net(), torch.zeros(7, 2)
def with_nothing():
    return Net(), None
def with_text():
    return Net(), "7,2"
def needy(hidden, classes, /, *, depth):
    return Net()
def greedy(**options):
    return Net(**options)
def nothing():
    pass
def three():
    return Net(), 1, 2
def broken():
    return nn.Linear("2", 3)
def leaving():
    raise SystemExit(3)
def interrupted():
    raise KeyboardInterrupt
def long_winded():
    raise ValueError("first line\\nsecond line")
class Unspeakable(Exception):
    def __str__(self):
        raise ValueError
def unspeakable():
    raise Unspeakable
number = 3
"""


def line(code: str) -> int:
    """Where that stands in NET; lines are counted from one."""
    return next(number for number, text in enumerate(NET.splitlines(), start=1) if code in text)


@pytest.fixture(autouse=True)
def restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What loading leaves behind on purpose is taken back, so that the tests do not see each other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    yield
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def written(path: str, text: str = NET) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


def load(text: str, **kwargs: object) -> Loaded:
    return load_python(parse_target(text), kwargs)


def values(loaded: Loaded) -> int:
    return sum(parameter.numel() for parameter in loaded.module.parameters())


def refusal(text: str, **kwargs: object) -> str:
    with pytest.raises(CapsauditError) as caught:
        load(text, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("Net", 9),  # a class with its defaults: (2 + 1)·3
        ("built", 12),  # an instance as it is: (2 + 1)·4
        ("factory", 18),  # a function: (2 + 1)·6
        ("Plain.make", 15),  # a dotted name: (2 + 1)·5
        ("Plain.small", 3),  # (2 + 1)·1
        ("built.fc", 12),  # a part of an instance
        ("greedy", 9),
    ],
)
def test_what_can_be_named(name: str, count: int) -> None:
    written("zoo/net.py")
    assert values(load(f"zoo/net.py:{name}")) == count
    assert values(load(f"zoo.net:{name}")) == count


def test_keyword_arguments() -> None:
    written("net.py")
    assert values(load("net.py:Net", hidden=5)) == 15  # (2 + 1)·5
    assert values(load("net.py:Net", hidden=5, bias=False)) == 10  # 2·5
    assert values(load("net.py:greedy", hidden=5)) == 15
    assert load("net.py:Net", hidden=5).notes == ("Net(hidden=5) was called",)
    assert load("net.py:built").notes == ("built was built by its file",)


def test_example_inputs_of_a_factory() -> None:
    written("net.py")
    first, second = load("net.py:with_inputs").inputs or ()
    assert (tuple(first.shape), second) == ((7, 2), 3)
    (alone,) = load("net.py:with_tensor").inputs or ()
    assert tuple(alone.shape) == (7, 2)
    assert load("net.py:with_nothing").inputs is None
    assert load("net.py:Net").inputs is None


def test_helper_modules_beside_the_file(tmp_path: Path) -> None:
    written("zoo/sizes.py", "WIDTH = 5")
    written("zoo/late.py", "def half(x): return x / 2")
    written(
        "zoo/model.py",
        """
        from sizes import WIDTH
        from torch import nn
        class Net(nn.Linear):
            def __init__(self): super().__init__(2, WIDTH)
            def forward(self, x):
                from late import half
                return half(super().forward(x))
        """,
    )
    loaded = load("zoo/model.py:Net")
    assert values(loaded) == 15  # (2 + 1)·5
    assert loaded.module(torch.zeros(1, 2)).shape == (1, 5)  # the helper is found later as well
    assert sys.path[0] == str(tmp_path / "zoo")
    assert not list(tmp_path.rglob("__pycache__"))


def test_python_would_write_bytecode_there(tmp_path: Path) -> None:
    """So that the test above can fail."""
    written("helper.py", "")
    subprocess.run([sys.executable, "-c", "import helper"], cwd=tmp_path, check=True, env={"PYTHONPATH": str(tmp_path)})
    assert list(tmp_path.rglob("__pycache__"))


def test_a_file_is_a_module_of_its_own_name() -> None:
    written("zoo/net.py")
    module = load("zoo/net.py:Net").module
    assert type(module).__module__ == "net"
    assert sys.modules["net"].Net is type(module)


@pytest.mark.parametrize("name", ["json", "torch"])
def test_a_file_may_be_called_like_another_module(name: str) -> None:
    other = __import__(name)
    written(
        f"zoo/{name}.py",
        "class Net(__import__('sys').modules['torch'].nn.Linear):\n  def __init__(self): super().__init__(2, 3)",
    )
    assert type(load(f"zoo/{name}.py:Net").module).__module__ == f"capsaudit_target_{name}"
    assert sys.modules[name] is other


def test_a_file_may_be_called_like_a_module_that_others_may_need_later() -> None:
    assert "zipapp" not in sys.modules
    written("zoo/zipapp.py")
    assert type(load("zoo/zipapp.py:Net").module).__module__ == "capsaudit_target_zipapp"
    assert "zipapp" not in sys.modules


def test_scripts_that_read_their_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["capsaudit", "audit", "net.py:Net", "--against", "paper"])
    written(
        "net.py",
        """
        import argparse
        from torch import nn
        parser = argparse.ArgumentParser()
        parser.add_argument("--hidden", type=int, default=4)
        options = parser.parse_args()
        class Net(nn.Linear):
            def __init__(self): super().__init__(2, options.hidden)
        """,
    )
    assert values(load("net.py:Net")) == 12  # (2 + 1)·4
    assert sys.argv[0] == "capsaudit"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("absent.py:Net", "absent.py: there is no such file, seen from ", id="no file"),
        pytest.param("folder.py:Net", "folder.py: is a directory; expected a file", id="directory"),
        pytest.param("absent:Net", "absent: there is no module 'absent', neither installed nor in ", id="no module"),
        pytest.param("absent.net:Net", "there is no module 'absent', neither installed", id="no package"),
        pytest.param("zoo.absent:Net", "there is no module 'zoo.absent', neither installed", id="no module in a package"),
        pytest.param("net.py:Nett", "net.py:Nett: there is no 'Nett' in it; did you mean 'Net'?", id="name"),
        pytest.param("net.py:Plain.maek", "there is no 'maek' in it; did you mean 'make'?", id="dotted name"),
        pytest.param("net.py:zzzzz", "there is no 'zzzzz' in it; expected one of: Net, Plain, Unspeakable, broken, built", id="nothing near"),
        pytest.param("zoo/empty.py:Net", "there is no 'Net' in it; it defines no class and no function", id="nothing in it"),
        pytest.param("net.py:number", "net.py:number: is a value of type int; expected an nn.Module, or a class or function", id="number"),
        pytest.param("net.py:Plain", "net.py:Plain: gives a value of type Plain; expected an nn.Module", id="another class"),
        pytest.param("net.py:nothing", "net.py:nothing: gives None; expected an nn.Module", id="None"),
        pytest.param("net.py:three", "gives a tuple of Net, int, int; expected an nn.Module, or a tuple of one and its", id="three"),
        pytest.param("net.py:with_text", "gives a value of type str as example inputs; expected a tensor, or a tuple", id="inputs"),
        pytest.param("net.py:leaving", f"raises while being built: SystemExit: 3 (net.py, line {line('SystemExit')})", id="exit"),
        pytest.param("net.py:long_winded", f"ValueError: first line (net.py, line {line('first line')})", id="long error"),
        pytest.param("net.py:unspeakable", f"built: Unspeakable (net.py, line {line('raise Unspeakable')})", id="an error without text"),
    ],
)  # fmt: skip
def test_faults_are_one_line(text: str, message: str) -> None:
    written("net.py")
    written("zoo/__init__.py", "")
    written("zoo/empty.py", "import os")
    Path("folder.py").mkdir()
    told = refusal(text)
    assert message in told
    assert len(told.splitlines()) == 1


def test_the_line_told_is_theirs() -> None:
    """The error is raised within torch, by what their own line asks of it."""
    written("net.py")
    told = refusal("net.py:broken")
    assert "net.py:broken: raises while being built: TypeError: " in told
    assert told.endswith(f"(net.py, line {line('broken') + 1})")


def test_the_error_is_kept_for_debugging() -> None:
    written("net.py")
    with pytest.raises(CapsauditError) as caught:
        load("net.py:long_winded")
    assert isinstance(caught.value.__cause__, ValueError)


def test_arguments_are_compared_before_the_call() -> None:
    written("net.py")
    assert refusal("net.py:Net", hiden=3) == "net.py:Net: takes no argument 'hiden'; did you mean 'hidden'?"
    assert refusal("net.py:nothing", a=3) == "net.py:nothing: takes no argument 'a'; it takes none at all"
    assert (
        refusal("net.py:built", hidden=3) == "net.py:built: is a model already, built by its file; it takes no --kwarg"
    )
    assert refusal("net.py:needy", dept=3).splitlines() == [
        "net.py:needy: takes no argument 'dept'; did you mean 'depth'?",
        "net.py:needy: needs depth: give --kwarg depth=…, or name a function without arguments that builds the model",
        "net.py:needy: needs hidden, classes by position; name a function without arguments that builds the model",
    ]


def test_needed_arguments_of_a_class() -> None:
    written("net.py", "from torch.nn import Linear as Net")
    told = refusal("net.py:Net", bias=False)
    assert "needs in_features, out_features: give --kwarg in_features=… --kwarg out_features=…" in told
    assert values(load("net.py:Net", in_features=2, out_features=3)) == 9  # (2 + 1)·3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("x = (\n", "net.py: does not import: SyntaxError in net.py, line 1: '(' was never closed", id="syntax"),
        pytest.param("import helper", "net.py: does not import: SyntaxError in helper.py, line 2: invalid", id="syntax of a helper"),
        pytest.param("if 1:\nx", "net.py: does not import: IndentationError in net.py, line 2", id="indentation"),
        pytest.param("x = '\0'", "net.py: does not import: SyntaxError", id="a zero byte"),
        pytest.param("\n1 / 0", "net.py: does not import: ZeroDivisionError: division by zero (net.py, line 2)", id="error"),
        pytest.param("import sys\nsys.exit(3)", "net.py: ends the program when imported (net.py, line 2); put what ends", id="exit"),
        pytest.param("import absent_package", "net.py: needs the module 'absent_package' (net.py, line 1), which is not here", id="dependency"),
        pytest.param("import os.absent", "net.py: needs the module 'os.absent'", id="part of a dependency"),
        pytest.param("from os import absent", "net.py: does not import: ImportError: cannot import name 'absent'", id="name"),
        pytest.param("from .layers import X", "net.py: imports its neighbours as part of a package (net.py, line 1); name it as", id="relative"),
        pytest.param("class B(BaseException): pass\nraise B('x')", "net.py: does not import: B: x (net.py, line 2)", id="any error"),
    ],
)  # fmt: skip
def test_files_that_do_not_import(content: str, message: str) -> None:
    written("net.py", content)
    written("helper.py", "\nx = = 1")
    told = refusal("net.py:Net")
    assert told.startswith(message)
    assert len(told.splitlines()) == 1
    assert "net" not in sys.modules


def test_a_module_that_needs_another_is_there_itself() -> None:
    written("zoo/net.py", "import absent_package")
    assert refusal("zoo.net:Net").startswith(
        "zoo.net: needs the module 'absent_package' (net.py, line 1), which is not here"
    )


def test_an_interrupt_is_no_error_of_theirs() -> None:
    written("net.py")
    with pytest.raises(KeyboardInterrupt):
        load("net.py:interrupted")
    written("other.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load("other.py:Net")


def test_the_end_of_the_time_is_no_error_of_theirs() -> None:
    end = "from capsaudit.inspection.foreign_errors import TimeUp\n"
    written("net.py", end + "def Net(): raise TimeUp")
    written("other.py", end + "raise TimeUp")
    for text in ("net.py:Net", "other.py:Net"):
        with pytest.raises(TimeUp):
            load(text)


NOISE = """
import ctypes, os, sys
def noise():
    print("python")
    sys.__stdout__.write("original\\n")
    kept.write("kept\\n")
    wrapped.write("wrapped\\n")
    os.write(1, b"descriptor\\n")
    os.system("echo child")
    ctypes.CDLL(None).puts(b"native")
kept = sys.stdout
wrapped = sys.stdout = open(1, "w", closefd=False)  # as a wrapper may have done before
"""
QUIET = (
    NOISE
    + "from capsaudit.inspection.python.sandbox import output_to_stderr\nwith output_to_stderr(): noise()\nprint('result')"
)
LOUD = NOISE + "noise()\nprint('result')"
SAID = {"python", "original", "kept", "wrapped", "descriptor", "child", "native"}


@pytest.mark.parametrize(("code", "on_output"), [(QUIET, set()), (LOUD, SAID)], ids=["redirected", "as it is"])
def test_output_goes_to_standard_error(code: str, on_output: set[str]) -> None:
    """As it is, all of it is on standard output, which shows that this test can fail."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=buffered)
    assert set(run.stdout.split()) == {"result"} | on_output
    assert set(run.stderr.split()) == SAID - on_output


def test_standard_output_is_given_back_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    def log_and_fail() -> None:
        print("inside")
        sys.stdout = sys.stderr = None  # as a script does that writes to a log of its own
        raise ValueError("theirs")

    before = sys.stdout, sys.stderr
    with pytest.raises(ValueError, match="theirs"), output_to_stderr():
        log_and_fail()
    assert (sys.stdout, sys.stderr) == before
    print("outside")
    assert capfd.readouterr() == ("outside\n", "inside\n")


def test_standard_output_may_be_closed() -> None:
    code = "from capsaudit.inspection.python.sandbox import output_to_stderr\nwith output_to_stderr(): print('said')"
    run = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" >&-', sys.executable, code], capture_output=True, text=True, check=True
    )
    assert run.stderr == "said\n"


MESSAGE = "net.py:Net took longer than 0.2 s; --timeout gives it more"


def test_what_does_not_end_is_interrupted() -> None:
    with pytest.raises(CapsauditError) as caught, time_limit(0.2, "net.py:Net"):
        time.sleep(60)
    assert str(caught.value) == MESSAGE


@pytest.mark.parametrize("place", ["import", "build"])
def test_an_import_or_constructor_that_does_not_end(place: str) -> None:
    loop = "while True:\n    try: sum(range(1000))\n    except Exception: pass\n"
    function = "def Net():\n" + textwrap.indent(loop, "    ")
    written("net.py", loop if place == "import" else function)
    with pytest.raises(CapsauditError) as caught, time_limit(0.2, "net.py:Net"):
        load("net.py:Net")
    assert str(caught.value) == MESSAGE


def test_what_ends_in_time_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[int] = []
    monkeypatch.setattr("capsaudit.inspection.python.sandbox.os._exit", ends.append)
    monkeypatch.setattr("capsaudit.inspection.python.sandbox.GRACE", 0.0)
    with time_limit(0.1, "net.py:Net"):
        pass
    with pytest.raises(ValueError, match="theirs"), time_limit(0.1, "net.py:Net"):
        raise ValueError("theirs")
    time.sleep(0.3)  # neither the alarm nor the watchdog comes later
    assert ends == []


HEAD = "import signal, time\nfrom capsaudit.inspection.python.sandbox import time_limit\nwith time_limit(0.2, 'net.py:Net'):\n"
STUBBORN = {
    "swallowed": "while True:\n    try: time.sleep(9)\n    except BaseException: pass",
    "native": "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\ntime.sleep(60)",
}


@pytest.mark.parametrize("code", STUBBORN.values(), ids=STUBBORN)
def test_what_cannot_be_interrupted_ends_the_process(code: str) -> None:
    command = [sys.executable, "-c", HEAD + textwrap.indent(code, "    ")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (2, "", f"capsaudit: {MESSAGE}\n")


def test_an_error_of_theirs_after_the_time_is_the_time() -> None:
    """The alarm may come back as any error: what they caught and raised anew tells nothing."""

    def disguise() -> None:
        try:
            time.sleep(60)
        except BaseException as error:
            raise ValueError("theirs") from error

    with pytest.raises(CapsauditError) as caught, time_limit(0.2, "net.py:Net"):
        disguise()
    assert str(caught.value) == MESSAGE
