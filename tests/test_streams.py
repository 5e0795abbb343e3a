"""Standard output and error that are closed, full or read no further, of real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the shell is that of POSIX systems")


def shell(arguments: str, *, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """`capsaudit ARGUMENTS` in a shell; the exit code is that of capsaudit."""
    command = f"{sys.executable} -m capsaudit {arguments}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=cwd)
    assert "Traceback" not in done.stderr
    return done


PRINTING = ["variants", "variants --format json", "count paper --witness formula --format csv", "--help", "--version"]


@pytest.mark.parametrize("arguments", [*PRINTING, "count --help"])
def test_a_closed_standard_output_is_exit_code_2(arguments: str) -> None:
    done = shell(f"{arguments} >&-")
    message = "capsaudit: the result could not be written: standard output is closed\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("arguments", [*PRINTING, "count --help"])
def test_a_full_disk_is_exit_code_2(arguments: str) -> None:
    done = shell(f"{arguments} > /dev/full")
    message = "capsaudit: the result could not be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.parametrize("arguments", [*PRINTING, "count --help"])
def test_a_reader_that_has_seen_enough_changes_no_exit_code(arguments: str) -> None:
    done = shell(f"{arguments} | true")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_has_seen_enough_changes_no_verdict() -> None:
    """The paper's network at 36×36 disagrees with the paper's figure."""
    assert shell("count paper --set image.size=36 --witness formula | true").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("variants", 0), ("count paper --set image.size=36 --witness formula", 1), ("count papr", 2), ("frobnicate", 2)],
)
@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-", "2> /dev/full"])
def test_standard_error_that_cannot_be_written_changes_no_exit_code(arguments: str, code: int, closed: str) -> None:
    if "full" in closed and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full on this system")
    done = shell(f"{arguments} {closed}")
    assert done.returncode == code
    assert bool(done.stdout) == (code != 2), "messages are no results"


def test_both_closed() -> None:
    assert shell("variants >&- 2>&-").returncode == 2
    assert shell("count papr >&- 2>&-").returncode == 2


MODEL = """
import os
from torch import nn
os.write(1, b"printed by native code")
print("printed by Python")
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)
"""
CLAIMS = 'source = "a test"\ntarget = "net.py:Net"\n[[claims]]\nstated = "16"\n'
"""4·3 weights and 4 biases."""


def test_a_result_goes_to_its_file_where_standard_output_is_closed(tmp_path: Path) -> None:
    """And nothing that the model prints, though its number is the lowest that is free."""
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "net.claims.toml").write_text(CLAIMS)
    arguments = "audit net.claims.toml --format json --output"
    assert shell(f"{arguments} expected.json", cwd=tmp_path).returncode == 0
    done = shell(f"{arguments} found.json >&- 2>&-", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "found.json").read_bytes() == (tmp_path / "expected.json").read_bytes()


def test_process_substitution_and_standard_output_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "net.claims.toml").write_text(CLAIMS)
    formats = "--format json --format junit --format rich"
    outputs = "--output >(cat > a.json) --output /dev/stdout"
    done = shell(f"audit net.claims.toml {formats} {outputs} > printed.txt", cwd=tmp_path)
    assert done.returncode == 0
    printed = (tmp_path / "printed.txt").read_text()
    assert printed.startswith("<?xml")
    assert "16 trainable" in printed.partition("</testsuites>")[2]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_what_is_still_buffered_at_the_end_is_written_too() -> None:
    script = (
        "import sys; from capsaudit import __main__, cli; cli._print = lambda *_: print('x'); "
        "sys.argv = ['capsaudit', 'variants']; __main__.main()"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    message = "capsaudit: the result could not be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (2, message)
