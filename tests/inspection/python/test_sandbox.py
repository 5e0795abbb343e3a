"""Limits on a user's code: its output goes to standard error, and it ends in time."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.python.build import load_python
from capsaudit.inspection.python.sandbox import output_to_stderr, time_limit
from capsaudit.inspection.targets import parse_target
from tests.inspection.python.user_code import write

NOISE = """
import ctypes, os, sys
def noise():
    print("python")
    sys.__stdout__.write("original\\n")
    saved.write("saved\\n")
    wrapped.write("wrapped\\n")
    os.write(1, b"descriptor\\n")
    os.system("echo child")
    ctypes.CDLL(None).puts(b"native")
saved = sys.stdout
wrapped = sys.stdout = open(1, "w", closefd=False)  # as a wrapper may have done before
"""
IMPORT = "from capsaudit.inspection.python.sandbox import output_to_stderr\n"
REDIRECTED = NOISE + IMPORT + "with output_to_stderr(): noise()\nprint('result')"
UNCHANGED = NOISE + "noise()\nprint('result')"
OUTPUT = {"python", "original", "saved", "wrapped", "descriptor", "child", "native"}


@pytest.mark.parametrize(
    ("code", "on_output"), [(REDIRECTED, set()), (UNCHANGED, OUTPUT)], ids=["redirected", "unchanged"]
)
def test_output_goes_to_standard_error(code: str, on_output: set[str]) -> None:
    """Unchanged, all of it goes to standard output, which shows that this test can fail."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=buffered)
    assert set(done.stdout.split()) == {"result"} | on_output
    assert set(done.stderr.split()) == OUTPUT - on_output


def test_standard_output_is_restored_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def log_and_fail() -> None:
        print("inside")
        sys.stdout = sys.stderr = None  # as a script does that writes its own log
        raise ValueError("user's error")

    before = sys.stdout, sys.stderr
    with pytest.raises(ValueError, match="user's error"), output_to_stderr():
        log_and_fail()
    assert (sys.stdout, sys.stderr) == before
    print("outside")
    assert capfd.readouterr() == ("outside\n", "inside\n")


def test_standard_output_may_be_closed() -> None:
    code = IMPORT + "with output_to_stderr(): print('output')"
    command = ["sh", "-c", '"$0" -c "$1" >&-', sys.executable, code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "output\n"


MESSAGE = "net.py:Net took longer than 0.1 s; set a longer limit with --timeout"


def wait_forever() -> None:
    threading.Event().wait()


def test_code_that_does_not_end_is_interrupted() -> None:
    with pytest.raises(CapsauditError) as caught, time_limit(0.1, "net.py:Net"):
        wait_forever()
    assert str(caught.value) == MESSAGE


@pytest.mark.parametrize("where", ["import", "build"])
def test_an_import_or_a_constructor_that_does_not_end_is_interrupted(where: str) -> None:
    loop = "while True:\n    try: sum(range(1000))\n    except Exception: pass\n"
    function = "def Net():\n" + textwrap.indent(loop, "    ")
    write("net.py", loop if where == "import" else function)
    with pytest.raises(CapsauditError) as caught, time_limit(0.1, "net.py:Net"):
        load_python(parse_target("net.py:Net"), {})
    assert str(caught.value) == MESSAGE


def test_after_code_that_ends_in_time_neither_alarm_nor_watchdog_remains() -> None:
    before, handler = set(threading.enumerate()), signal.getsignal(signal.SIGALRM)
    with time_limit(60, "net.py:Net"):
        (watchdog,) = set(threading.enumerate()) - before
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    watchdog.join(timeout=10)
    assert not watchdog.is_alive()
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) is handler


def test_an_error_in_time_is_raised_as_it_is() -> None:
    with pytest.raises(ValueError, match="user's error"), time_limit(60, "net.py:Net"):
        raise ValueError("user's error")


def test_an_error_after_the_limit_is_reported_as_the_limit() -> None:
    """A user's code may catch the interruption and raise another error."""

    def disguise() -> None:
        try:
            wait_forever()
        except BaseException as error:
            raise ValueError("user's error") from error

    with pytest.raises(CapsauditError) as caught, time_limit(0.1, "net.py:Net"):
        disguise()
    assert str(caught.value) == MESSAGE


HEAD = """
import signal, threading
from capsaudit.inspection.python import sandbox
sandbox.GRACE_SECONDS = 0.1
with sandbox.time_limit(0.1, 'net.py:Net'):
"""
STUBBORN = {
    "catches everything": "while True:\n    try: threading.Event().wait()\n    except BaseException: pass",
    "native": "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\nthreading.Event().wait()",
}


@pytest.mark.parametrize("code", STUBBORN.values(), ids=STUBBORN)
def test_code_that_cannot_be_interrupted_ends_the_process(code: str) -> None:
    command = [sys.executable, "-c", HEAD + textwrap.indent(code, "    ")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"capsaudit: {MESSAGE}\n")
