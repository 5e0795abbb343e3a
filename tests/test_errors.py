"""Errors are what could not be audited; their text is what a person reads."""

import inspect
import pickle

import pytest

from capsaudit import errors
from capsaudit.errors import CapsauditError, FileError


@pytest.mark.parametrize(
    "kind", [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
)
def test_the_command_line_catches_every_kind_of_error(kind: type[Exception]) -> None:
    assert issubclass(kind, CapsauditError)


def test_the_faults_of_a_file_are_kept_one_by_one_and_shown_one_a_line() -> None:
    error = FileError("a.toml: image is missing", "a.toml: conv1.kernel is 0")
    assert error.faults == ("a.toml: image is missing", "a.toml: conv1.kernel is 0")
    assert str(error) == "a.toml: image is missing\na.toml: conv1.kernel is 0"


def test_a_name_cannot_forge_another_fault() -> None:
    error = CapsauditError("a.toml: x\n::error::y is unknown", "::warning::z")
    assert str(error).splitlines() == [r"a.toml: x\n:\x3aerror:\x3ay is unknown", r":\x3awarning:\x3az"]


def test_an_error_can_be_sent_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(FileError("a\nb", "c")))
    assert (type(error), error.faults) == (FileError, (r"a\nb", "c"))
