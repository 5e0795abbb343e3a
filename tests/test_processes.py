"""Running the command line within this process leaves nothing behind, and reads as a process of its own."""

import gc
import os
import sys
import warnings
from pathlib import Path

import pytest

from tests.claims import MODEL
from tests.processes import invoke, lines


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    def state() -> tuple[object, ...]:
        return (
            gc.get_threshold(),
            Path.cwd(),
            [*sys.path],
            sys.argv,
            dict(os.environ),
            sys.stdout,
            sys.stderr,
            sys.dont_write_bytecode,
            "net" in sys.modules,
        )

    (tmp_path / "net.py").write_text(MODEL)
    before = state()
    assert invoke("audit", "net.py:SmallClassifier", cwd=tmp_path, NO_COLOR="1").stdout
    assert state() == before


def test_two_files_of_one_name_are_two_models(tmp_path: Path) -> None:
    for name, classes in (("one", 10), ("two", 20)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.py").write_text(MODEL.replace("classes: int = 10", f"classes: int = {classes}"))
    printed = [invoke("audit", "net.py:SmallClassifier", cwd=tmp_path / name).stdout for name in ("one", "two")]
    # 48 in the body; 10 or 20 classes of 4·26·26 weights and a bias
    assert [f"{48 + classes * 2705:,} trainable" in text for classes, text in zip((10, 20), printed, strict=True)] == [
        True,
        True,
    ]


def test_an_error_that_nobody_has_foreseen_fails_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capsaudit.api.variants", lambda: 1 / 0)
    with pytest.raises(AssertionError, match="internal error: ZeroDivisionError"):
        invoke("variants")
    assert invoke("variants", unforeseen=True).returncode == 2


def test_a_warning_that_a_user_would_see_fails_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("capsaudit.api.variants", lambda: warnings.warn("visible", UserWarning, stacklevel=1))
    with pytest.raises(AssertionError, match="internal error: UserWarning: visible"):
        invoke("variants")


def test_lines_of_a_terminal() -> None:
    assert lines("\x1b[?25l\r\x1b[2Ksearching 1/2\r\x1b[2Ksearching 2/2\r\ndone\r\n") == [
        "searching 1/2",
        "searching 2/2",
        "done",
    ]
