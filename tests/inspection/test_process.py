"""Targets in processes of their own: only a complete result counts, whatever else the target does."""

import os
import pickle
import subprocess
import sys
import textwrap
import time
from io import BytesIO
from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.process import Request, load_in_child, receive, send
from capsaudit.inspection.targets import parse_target
from capsaudit.inventory import Inventory
from tests.processes import run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and sessions of POSIX")

NET = """
import atexit, os, signal, sys, threading, time
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)

class LeavingForward(Net):
    def forward(self, x):
        os._exit(0)

class RaisingForward(Net):
    def forward(self, x):
        raise ValueError("no luck")

def leaving(): os._exit(0)
def failing(): os._exit(3)
def killed(): os.kill(os.getpid(), signal.SIGKILL)
def aborted(): os.abort()
def closing():
    os.closerange(0, 64)
    return Net()
def interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
def endless(): threading.Event().wait()
def native(): return pow(3, 10**9)  # one operation that never lets another thread run
def stubborn():
    while True:
        try: time.sleep(60)
        except BaseException: pass

def busy():
    \"\"\"A thread and a process that never end, an exit handler, and copies of the process.\"\"\"
    threading.Thread(target=threading.Event().wait).start()
    atexit.register(print, "from the exit handler")
    print("from the target", flush=True)  # before there are copies, whose lines would mix with it
    os.write(1, b"from native code\\n")
    os.fork()
    if not os.fork():
        os.execlp("sleep", "sleep", "86399")
    return Net()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def loaded(folder: Path, target: str, timeout: float = 60) -> Inventory:
    return load_in_child(Request(parse_target(target), {}, ()), timeout=timeout, folder=folder)


def refusal(folder: Path, target: str, timeout: float = 60) -> str:
    with pytest.raises(CapsauditError) as caught:
        loaded(folder, target, timeout)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("leaving", "its process ended with exit status 0 while it was built, as by os._exit, so there is no result"),
        ("failing", "its process ended with exit status 3 while it was built, as by os._exit, so there is no result"),
        ("killed", "its process was ended by SIGKILL while it was built; perhaps there was not enough memory"),
        ("aborted", "its process was ended by SIGABRT while it was built; native code failed"),
        ("closing", "its process ended with exit status 0 while it was built, as by os._exit, so there is no result"),
        ("interrupted", "building the model failed: KeyboardInterrupt (net.py, line 26)"),
    ],
)
def test_a_target_that_ends_its_process_has_no_result(folder: Path, name: str, what: str) -> None:
    assert refusal(folder, f"net.py:{name}") == f"net.py:{name}: {what}"


def test_a_target_that_ends_its_process_when_it_is_imported_has_no_result(folder: Path) -> None:
    (folder / "net.py").write_text("import os\nos._exit(0)\n")
    assert "ended with exit status 0 while it was imported" in refusal(folder, "net.py:Net")


def test_the_command_says_so_and_exits_with_2(folder: Path) -> None:
    """Exit status 0 of the target must not become that of the command."""
    done = run("audit", "net.py:LeavingForward", "--input", "2", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "net.py:LeavingForward: its process ended with exit status 0 while it was run" in done.stderr


@pytest.mark.parametrize("name", ["endless", "native", "stubborn"])
def test_the_time_limit_covers_everything(folder: Path, name: str) -> None:
    expected = f"net.py:{name} took longer than 0.5 s while it was built; set a longer limit with --timeout"
    assert refusal(folder, f"net.py:{name}", timeout=0.5) == expected


@pytest.mark.parametrize("timeout", [0.0, -1.0, float("nan")])
def test_a_time_limit_is_positive(folder: Path, timeout: float) -> None:
    assert "expected a positive number of seconds" in refusal(folder, "net.py:Net", timeout)


def test_there_may_be_no_time_limit(folder: Path) -> None:
    assert loaded(folder, "net.py:Net", timeout=float("inf")).trainable() == 9  # 2·3 + 3


def test_the_time_limit_covers_files(tmp_path: Path) -> None:
    """Twenty million integers take seconds to read, all in one call of the unpickler."""
    with (tmp_path / "large.pt").open("wb") as stream:
        stream.write(pickle.PROTO + b"\x02" + pickle.EMPTY_LIST + pickle.MARK)
        for _ in range(200):
            stream.write((pickle.BININT1 + b"\x05") * 100_000)
        stream.write(pickle.APPENDS + pickle.STOP)
    assert "large.pt took longer than 0.2 s while it was read" in refusal(tmp_path, "large.pt", timeout=0.2)


def test_nothing_of_the_target_outlives_its_result(folder: Path) -> None:
    done = run("audit", "net.py:busy", "--format", "csv", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["fc.weight,3×2,6,trainable,float32,", "fc.bias,3,3,trainable,float32,"]
    assert set(done.stderr.split("\n")) == {"from the target", "from native code", ""}
    assert not _running("sleep 86399")


def test_a_target_ends_with_the_command(folder: Path) -> None:
    """Even where the command is killed and can end nothing itself."""
    code = "from capsaudit.inspection.load import load\nload('net.py:endless')"
    (folder / "net.py").write_text("import time\nprint('started', flush=True)\ntime.sleep(86398)\n")
    with subprocess.Popen([sys.executable, "-c", code], cwd=folder, stderr=subprocess.PIPE, text=True) as command:
        assert command.stderr is not None
        assert command.stderr.readline() == "started\n"
        command.kill()
        assert command.stderr.read() == ""  # it ends when the last process that writes there has ended


def _running(command: str) -> bool:
    for _ in range(50):
        if command not in subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True).stdout:
            return False
        time.sleep(0.1)
    return True


def test_two_audits_give_the_same_result(folder: Path) -> None:
    """Random numbers, the order of sets, and what depends on them: how many values are not zero."""
    code = """
        import random
        import numpy, torch
        from torch import nn
        def make():
            net = nn.ModuleDict({name: nn.Linear(3, 3) for name in {"one", "two", "three", "four"}})
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter.mul_(torch.rand(parameter.shape) < random.random() * numpy.random.rand())
            return net
    """
    (folder / "net.py").write_text(textwrap.dedent(code))
    assert loaded(folder, "net.py:make") == loaded(folder, "net.py:make")


def test_names_that_are_not_valid_unicode_arrive_with_escapes(folder: Path) -> None:
    (folder / "net.py").write_text(
        "from torch import nn\ndef make(): return nn.ModuleDict({'\\udc80': nn.Linear(1, 1)})"
    )
    assert [tensor.layer for tensor in loaded(folder, "net.py:make").tensors] == ["\\udc80"] * 2


def test_the_traceback_of_the_target_is_the_cause(folder: Path) -> None:
    (folder / "net.py").write_text("def make():\n    return 1 / 0\n")
    with pytest.raises(CapsauditError) as caught:
        loaded(folder, "net.py:make")
    assert "return 1 / 0" in str(caught.value.__cause__)


@pytest.mark.parametrize("data", [b"", b"data", bytes(100_000)])
def test_only_complete_data_is_received(data: bytes) -> None:
    stream = BytesIO()
    send(stream, data)
    whole = stream.getvalue()
    assert receive(BytesIO(whole)) == data
    assert all(receive(BytesIO(whole[:end])) is None for end in range(0, len(whole), 997))
