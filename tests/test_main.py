"""From the arguments to the exit code: no error of any kind ends in exit code 1, and none is a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from capsaudit import api, cli
from capsaudit.errors import CapsauditError
from tests.processes import invoke, run

REGISTERED = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]

ERRORS = [
    ValueError("first line\nsecond line"),
    TypeError("wrong"),
    KeyError("missing"),
    AttributeError("absent"),
    AssertionError(),
    MemoryError(),
    RecursionError("too deep"),
    OverflowError("too large"),
    UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
    OSError(28, "No space left on device"),
    BrokenPipeError(32, "Broken pipe"),
    EOFError("nothing more"),
    StopIteration(),
    GeneratorExit(),
    SystemExit(1),
    SystemExit("a text"),
    typer.Abort(),
    BaseException("odd"),
]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> BaseException:
    """An error that every function of the API raises."""
    error: BaseException = request.param

    def fail(*_: object, **__: object) -> None:
        raise error

    for name in api.__all__:
        if callable(getattr(api, name)):
            monkeypatch.setattr(api, name, fail)
    return error


def least_arguments(command: str) -> list[str]:
    """The command with a word for each of its positional arguments, and a number for each option that it must be given."""
    parameters = REGISTERED[command].params
    positional = [each for each in parameters if each.param_type_name == "argument"]
    options = [each.opts[0] for each in parameters if each.required and each not in positional]
    return [command, *["x" for _ in positional], *[word for option in options for word in (option, "1")]]


@pytest.mark.parametrize("command", sorted(REGISTERED))
@pytest.mark.parametrize("raising", ERRORS, ids=repr, indirect=True)
def test_no_error_of_any_command_ends_in_exit_code_1(command: str, raising: BaseException) -> None:
    done = invoke(*least_arguments(command), unforeseen=True)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"capsaudit: internal error: {type(raising).__name__}")
    assert "test_main.py, line " in line
    assert line.endswith("; --debug shows the traceback")


@pytest.mark.parametrize("command", sorted(REGISTERED))
@pytest.mark.parametrize("raising", [CapsauditError("what is wrong")], ids=repr, indirect=True)
@pytest.mark.usefixtures("raising")
def test_an_error_that_users_can_correct_is_its_message(command: str) -> None:
    done = invoke(*least_arguments(command))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "capsaudit: what is wrong\n")


@pytest.mark.parametrize("command", sorted(REGISTERED))
@pytest.mark.parametrize("raising", [KeyboardInterrupt()], ids=repr, indirect=True)
@pytest.mark.usefixtures("raising")
def test_an_interrupt_is_exit_code_130(command: str) -> None:
    done = invoke(*least_arguments(command))
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("interrupted\n")


@pytest.mark.parametrize("raising", [ZeroDivisionError("by zero")], ids=repr, indirect=True)
@pytest.mark.usefixtures("raising")
def test_debug_shows_the_traceback_of_any_error() -> None:
    done = invoke("variants", "--debug", unforeseen=True)
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback")
    assert "ZeroDivisionError: by zero\ncapsaudit: internal error: ZeroDivisionError: by zero (" in done.stderr


def test_an_error_while_a_result_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capsaudit.render.formats.write", lambda *_: 1 / 0)
    done = invoke("variants", unforeseen=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "internal error: ZeroDivisionError: division by zero (test_main.py, line " in done.stderr


BYTES = b"caf\xe9"
"""Not valid UTF-8: é in Latin-1."""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize(
    "arguments",
    [
        [b"count", BYTES + b".toml", b"--witness", b"formula", b"--format", b"json"],
        [b"count", b"paper", b"--set", b"x=" + BYTES],
        [b"audit", BYTES + b".safetensors", b"--format", b"json"],
        [b"audit", b"x.safetensors", b"--output", BYTES],
        [b"reconcile", BYTES],
        [BYTES],
    ],
    ids=lambda arguments: arguments[0].decode(errors="replace"),
)
def test_arguments_that_are_not_utf8_are_refused(tmp_path: Path, arguments: list[bytes]) -> None:
    (tmp_path / "caf\udce9.toml").write_text('extends = "paper"\nsummary = "a test"\n')
    done = subprocess.run(
        [sys.executable, "-m", "capsaudit", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("capsaudit: the argument '")
    assert "caf\\udce9" in line


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "net.py:Net", "--input", f"1,{DIGITS}"],
        ["count", "paper", "--set", f"image.size={DIGITS}"],
        ["count", "baseline-mnist", "--set", f"layers.{DIGITS}.kernel=3"],
        ["reconcile", DIGITS],
        ["reconcile", f"1e{DIGITS}"],
        ["reconcile", "8.2M", "--top", DIGITS],
        ["reconcile", "8.2M", "--space", "space.toml"],
        ["count", "variant.toml"],
        ["audit", "net.claims.toml"],
        ["audit", "net.safetensors"],
        ["train-smoke", "--steps", DIGITS],
    ],
    ids=lambda arguments: " ".join(argument[:20] for argument in arguments),
)
def test_numbers_of_five_thousand_digits_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    """Python converts no more than 4300 digits."""
    (tmp_path / "variant.toml").write_text(f'extends = "paper"\nsummary = "a test"\n[image]\nheight = {DIGITS}\n')
    (tmp_path / "net.claims.toml").write_text(
        f'source = "a test"\ntarget = "net.safetensors"\n[[claims]]\nstated = "{DIGITS}"\n'
    )
    alternatives = '[{ value = 1, assumption_cost = 0, source = "a test" }]'
    (tmp_path / "space.toml").write_text(
        f'family = "capsnet"\nsummary = "a test"\n[[knobs]]\nknob = "layers.{DIGITS}"\nalternatives = {alternatives}\n'
    )
    header = f'{{"w":{{"dtype":"F32","shape":[{DIGITS}],"data_offsets":[0,16]}}}}'.encode()
    (tmp_path / "net.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    done = invoke(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_usage_errors_are_exit_code_2() -> None:
    for arguments in ([], ["frobnicate"], ["count", "--frobnicate"], ["explain"], ["variants", "x"]):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert "Traceback" not in done.stderr
