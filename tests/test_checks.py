"""The command that runs every check, with commands that take no time."""

import sys

import pytest

from tests import checks

PASSES = (sys.executable, "-c", "print('fine')")
FAILS = (sys.executable, "-c", "raise SystemExit(3)")


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECKS", {"first": FAILS, "second": PASSES, "third": ("no-such-program",)})


def test_the_others_run_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    assert checks.main([]) == 1
    printed = capfd.readouterr().out
    headings = [line.split()[1] for line in printed.splitlines() if line.startswith("== ")]
    assert headings == ["first:", "second:", "third:", "summary"]
    assert "fine" in printed
    assert "no-such-program is not installed" in printed
    results = [line.rsplit(maxsplit=2)[0].split(maxsplit=1) for line in printed.splitlines()[-3:]]
    assert results == [["first", "failed, exit code 3"], ["second", "passed"], ["third", "failed, exit code 127"]]


@pytest.mark.parametrize(
    "arguments", [["second"], ["--skip", "first", "--skip", "third"]], ids=["named", "others left out"]
)
def test_some_of_them(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert checks.main(arguments) == 0
    printed = capfd.readouterr().out
    assert "second" in printed
    assert "first" not in printed


def test_an_unknown_name_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        checks.main(["fourth"])
    assert "no check 'fourth'; expected one of: first, second, third" in capsys.readouterr().err


def test_the_list_runs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert checks.main(["--list"]) == 0
    assert [line.split()[0] for line in capfd.readouterr().out.splitlines()] == ["first", "second", "third"]


def test_cog_reads_the_readme() -> None:
    assert checks.pages_with_output()[0] == "README.md"
