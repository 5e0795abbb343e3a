"""Errors are what could not be audited; their text is what a person reads."""

import inspect

import pytest

from capsaudit import errors
from capsaudit.errors import CapsauditError, FileError


@pytest.mark.parametrize(
    "kind", [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
)
def test_the_command_line_catches_every_kind_of_error(kind: type[Exception]) -> None:
    assert issubclass(kind, CapsauditError)


def test_the_faults_of_a_file_are_kept_one_by_one_and_shown_one_a_line() -> None:
    error = FileError(fault for fault in ("a.toml: image is missing", "a.toml: conv1.kernel is 0"))
    assert error.faults == ("a.toml: image is missing", "a.toml: conv1.kernel is 0")
    assert str(error) == "a.toml: image is missing\na.toml: conv1.kernel is 0"
