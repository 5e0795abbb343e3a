"""Errors of a user's code: one line, with the last line of that code."""

import json
from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import location, one_line, translate_errors


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(ValueError("first line\nsecond line"), "ValueError: first line", id="two lines"),
        pytest.param(ValueError("\n  \n text "), "ValueError: text", id="blank lines before"),
        pytest.param(ValueError(), "ValueError", id="no text"),
        pytest.param(UnprintableError(), "UnprintableError", id="a text that raises"),
        pytest.param(SystemExit(3), "SystemExit: 3", id="not an Exception"),
    ],
)
def test_an_error_is_one_line(error: BaseException, expected: str) -> None:
    assert one_line(error) == expected


def test_a_long_text_is_cut() -> None:
    line = one_line(ValueError("x" * 1000))
    assert len(line) == len("ValueError: ") + 300
    assert line.endswith("x…")


def run(path: Path, code: str) -> None:
    """Run code as if it stood in a file of the user."""
    exec(compile(code, path, "exec"), {"json": json})


def raised(path: Path, code: str) -> Exception:
    try:
        run(path, code)
    except Exception as error:
        return error
    raise AssertionError("the code raised no error")


def test_the_location_is_the_last_line_of_the_users_code(tmp_path: Path) -> None:
    """The error is raised within the standard library, which the second line calls."""
    assert location(raised(tmp_path / "net.py", "text = '{'\njson.loads(text)")) == " (net.py, line 2)"


def test_without_users_code_the_location_is_the_last_line() -> None:
    error = raised(Path(json.decoder.__file__), "\n\n1 / 0")
    while error.__traceback__ and error.__traceback__.tb_next:  # leave out the frames of this file
        error.__traceback__ = error.__traceback__.tb_next
    assert location(error) == " (decoder.py, line 3)"


def test_an_error_that_was_not_raised_has_no_location() -> None:
    assert location(ValueError()) == ""


def test_an_error_is_translated_and_remains_the_cause(tmp_path: Path) -> None:
    with pytest.raises(CapsauditError) as caught, translate_errors("net.py:Net: building the model failed"):
        run(tmp_path / "net.py", "raise SystemExit(3)")
    assert str(caught.value) == "net.py:Net: building the model failed: SystemExit: 3 (net.py, line 1)"
    assert isinstance(caught.value.__cause__, SystemExit)
