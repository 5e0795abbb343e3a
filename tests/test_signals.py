"""Real signals to real processes: what they say, how they exit, and that they leave no temporary file."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from capsaudit.signals import held
from tests.processes import ignoring, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX systems")

SIGNALS = {"SIGINT": (130, "interrupted"), "SIGTERM": (143, "terminated"), "SIGHUP": (129, "hung up")}
"""128 and the number of the signal: 2, 15, 1."""

MODEL = """
import sys, time
from torch import nn

def wait():
    print("ready", file=sys.stderr, flush=True)
    time.sleep(60)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)

"""
CLAIMS = 'source = "a test"\ntarget = "net.py:Net"\n[[claims]]\nstated = "16"\n'
"""4·3 weights and 4 biases."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.claims.toml").write_text(CLAIMS)
    return tmp_path


def model(folder: Path, code: str = "") -> None:
    (folder / "net.py").write_text(MODEL + code)


INSIDE = """
import atexit, os, signal, sys, time
from capsaudit import api
from capsaudit.__main__ import main

def wait():
    print("ready", file=sys.stderr, flush=True)
    time.sleep(60)

def audited(*arguments, **options):
{code}
    return audit_target(*arguments, **options)

audit_target, api.audit_target = api.audit_target, audited
sys.argv = ["capsaudit", "audit", "net.claims.toml"]
main()
"""
"""A command whose own process runs some code before it does what was asked."""


def inside(code: str) -> tuple[str, str]:
    return "-c", INSIDE.replace("{code}", textwrap.indent(code, "    "))


AUDIT = ("-m", "capsaudit", "audit", "net.claims.toml")


@contextmanager
def started(folder: Path, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Python in this folder, when it has written `ready`."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        preexec_fn=ignoring(),
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("name", SIGNALS)
def test_one_line_says_what_was_interrupted_and_how(folder: Path, name: str) -> None:
    code, word = SIGNALS[name]
    model(folder, "wait()")
    with started(folder, *AUDIT) as process:
        process.send_signal(getattr(signal, name))
        printed, messages = process.communicate(timeout=60)
    assert (process.returncode, printed, messages) == (code, "", f"capsaudit: audit {word}\n")


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_during_imports(folder: Path, name: str) -> None:
    """The first module that takes long to import."""
    code, word = SIGNALS[name]
    (folder / "typer.py").write_text("import sys, time\nprint('ready', file=sys.stderr, flush=True)\ntime.sleep(60)\n")
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[1])])
    with started(folder, "-m", "capsaudit", "count", "paper", PYTHONPATH=path) as process:
        process.send_signal(getattr(signal, name))
        printed, messages = process.communicate(timeout=60)
    assert (process.returncode, printed, messages) == (code, "", f"capsaudit: count {word}\n")


def test_a_signal_at_exit(folder: Path) -> None:
    """The result has been printed by then."""
    model(folder)
    with started(folder, *inside("atexit.register(wait)")) as process:
        process.send_signal(signal.SIGINT)
        printed, messages = process.communicate(timeout=60)
    assert "16" in printed
    assert (process.returncode, messages) == (130, "capsaudit: audit interrupted\n")


PATCHED = """
import os, signal, sys
from pathlib import Path
from capsaudit.__main__ import main

def signalled(function, number):
    def patched(*arguments, **keywords):
        if not is_temporary(arguments[0]):
            return function(*arguments, **keywords)
        try:
            return function(*arguments, **keywords)
        finally:
            assert os.path.exists(arguments[0]) == (function is os_open)
            os.kill(os.getpid(), number)
    return patched

def is_temporary(path):
    return str(path).endswith(".capsaudit-tmp")

os_open = os.open
"""
OPENED = "os.open = signalled(os.open, signal.{name})\n"
REMOVED = "Path.unlink = signalled(Path.unlink, signal.{name})\n"
FAILS = "def fsync(_): raise OSError(28, 'full')\nos.fsync = fsync\n"
TWICE = """
import capsaudit.atomic_write
def replaced(function):
    def unlink(path):
        if is_temporary(path):
            os.kill(os.getpid(), signal.{name})
        function(path)
    return unlink
Path.unlink = replaced(Path.unlink)
"""
LEAVING = """
def leave(code):
    if sys._getframe(1).f_globals["__name__"] == "capsaudit.__main__":
        os.kill(os.getpid(), signal.SIGTERM)
    sys_exit(code)
sys_exit, sys.exit = sys.exit, leave
"""
RUN = "sys.argv = ['capsaudit', 'audit', 'net.safetensors', '--claims', 'net.claims.toml', '--output', 'out.json', '--format', 'json']\nmain()\n"


def scripted(folder: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """A script that audits a file, which needs no torch and 4 values of which are stated as 16."""
    header = b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    (folder / "net.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60, preexec_fn=ignoring()
    )


def test_a_signal_between_the_result_and_the_exit(folder: Path) -> None:
    done = scripted(folder, PATCHED + LEAVING + RUN)
    assert (done.returncode, done.stderr) == (143, "capsaudit: audit terminated\n")
    assert (folder / "out.json").exists()


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize(
    "patches",
    [[OPENED], [FAILS, TWICE], [OPENED, TWICE]],
    ids=["as the file is made", "before it is removed", "both"],
)
def test_no_temporary_file_is_left(folder: Path, patches: list[str], name: str) -> None:
    """Signals that a process sends to itself at the most awkward moments."""
    code, word = SIGNALS[name]
    done = scripted(folder, PATCHED + "".join(patch.replace("{name}", name) for patch in patches) + RUN)
    assert (done.returncode, done.stderr) == (code, f"capsaudit: audit {word}\n")
    assert {path.name for path in folder.iterdir()} == {"net.claims.toml", "net.safetensors"}


def test_a_second_signal_ends_a_process_that_goes_on(folder: Path) -> None:
    with started(folder, *inside("try:\n    wait()\nexcept KeyboardInterrupt:\n    wait()\n")) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=60)
    assert (process.returncode, messages) == (130, "capsaudit: audit interrupted\n")


SELF = "os.kill(os.getpid(), signal.{name})\n"


@pytest.mark.parametrize(
    "code",
    [
        "try:\n    {self}except BaseException:\n    pass\n",
        "class Last:\n    def __del__(self):\n        {self}\nLast()\nwait()\n",
    ],
    ids=["caught by a library", "dropped by Python"],
)
def test_an_interrupt_that_is_lost_on_the_way_is_one_nevertheless(folder: Path, code: str) -> None:
    model(folder)
    command = [sys.executable, *inside(code.replace("{self}", SELF.format(name="SIGTERM")))]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (143, "capsaudit: audit terminated\n")


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_the_process_was_started_to_ignore_is_ignored(folder: Path, name: str) -> None:
    """As nohup does it, and shells for what runs in the background."""
    model(folder)
    done = subprocess.run(
        [sys.executable, *inside(SELF.format(name=name))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=ignoring(getattr(signal, name)),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_signal_the_same_audit_agrees(folder: Path) -> None:
    model(folder)
    done = run("audit", "net.claims.toml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


HELD = """
import sys, time
from capsaudit import signals
from capsaudit.__main__ import main
import capsaudit.cli

def command():
    with signals.held() as stopped:
        print("ready", file=sys.stderr, flush=True)
        while not stopped():
            time.sleep(0.01)
        print("saved", file=sys.stderr, flush=True)
        {more}
    raise AssertionError("the signal comes at the end of the block")

capsaudit.cli.app = command
sys.argv = ["capsaudit", "train"]
main()
"""


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_is_held_back_until_the_end_of_the_block(folder: Path, name: str) -> None:
    code, word = SIGNALS[name]
    with started(folder, "-c", HELD.replace("{more}", "")) as process:
        process.send_signal(getattr(signal, name))
        printed, messages = process.communicate(timeout=60)
    assert (process.returncode, printed, messages) == (code, "", f"saved\ncapsaudit: train {word}\n")


def test_a_second_signal_is_not_held_back(folder: Path) -> None:
    with started(folder, "-c", HELD.replace("{more}", "time.sleep(60)")) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.readline() == "saved\n"
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=60)
    assert (process.returncode, messages) == (130, "capsaudit: train interrupted\n")


def test_without_the_command_line_handlers_are_those_of_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with held() as stopped:
        assert not stopped()
    assert signal.getsignal(signal.SIGINT) is before
    reached = []

    def interrupted(times: int) -> None:
        with held() as stopped:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
            reached.append(stopped())

    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        for times in (1, 2):
            with pytest.raises(KeyboardInterrupt):
                interrupted(times)
    finally:
        signal.signal(signal.SIGINT, before)
    assert reached == [True], "the second signal ends the block at once"
