"""The GitHub Action: its steps, run as the runner would run them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the action runs in bash")

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
ACTION = (ROOT / "action.yml").read_text(encoding="utf-8")
INSTALL, AUDIT = map(dedent, re.findall(r"^ +run: \|\n((?: {8}.*\n)+)", ACTION, re.MULTILINE))

RECORDS = '#!/bin/sh\nprintf "%s\\n" "$@" > "$RECORDED"\n'
"""A program that writes down its arguments, each in a line."""


def run(script: str, environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, env=os.environ | environment, cwd=folder, capture_output=True, text=True, check=False
    )


def recorded(script: str, program: str, environment: dict[str, str], folder: Path) -> list[str]:
    """The arguments with which a step calls a program."""
    (folder / "bin").mkdir()
    (folder / "bin" / program).write_text(RECORDS)
    (folder / "bin" / program).chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = run(script, environment | {"PATH": path, "RECORDED": str(folder / "recorded")}, folder)
    assert done.returncode == 0, done.stderr
    return (folder / "recorded").read_text().splitlines()


def inputs(folder: Path, **given: str) -> dict[str, str]:
    """The environment of the last step, with these inputs and else their defaults."""
    defaults = {"CLAIMS": "", "AGAINST": "", "ARGUMENTS": "", "SARIF": str(folder / "log.sarif")}
    return defaults | given | {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}


def test_inputs_reach_the_scripts_through_the_environment_alone() -> None:
    assert "${{" not in INSTALL + AUDIT
    for name in ("target", "claims", "against", "arguments", "sarif"):
        assert f"{name.upper()}: ${{{{ inputs.{name} }}}}\n" in ACTION
        assert f"${name.upper()}" in AUDIT


def test_it_installs_what_is_pinned(tmp_path: Path) -> None:
    arguments = recorded(INSTALL, "python", {"GITHUB_ACTION_PATH": "/an action"}, tmp_path)
    assert arguments == ["-m", "pip", "install", "-c", "/an action/constraints.txt", "/an action"]


LINES = [
    "--input=1, 28",
    "--kwarg",
    'name=it\'s "quoted"',
    "  --indented",
    "$(touch x)",
    "`touch x`",
    "*",
    "a\\b",
    "-n",
]


def test_each_line_is_one_argument(tmp_path: Path) -> None:
    """Blanks, quotes, substitutions and patterns stand as they are; empty lines are ignored."""
    given = inputs(tmp_path, TARGET="my net.claims.toml", ARGUMENTS="\n" + "\n\n".join(LINES) + "\n")
    arguments = recorded(AUDIT, "capsaudit", given, tmp_path)
    assert arguments[: 2 + len(LINES)] == ["audit", "my net.claims.toml", *LINES]
    assert arguments[2 + len(LINES) :: 2] == ["--format", "--output", "--format", "--output", "--format"]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"TARGET": "net.claims.toml"}, []),
        ({"CLAIMS": "a b.toml"}, ["--claims", "a b.toml"]),
        ({"AGAINST": "paper"}, ["--against", "paper"]),
        ({"CLAIMS": "$(touch x)", "AGAINST": "*"}, ["--claims", "$(touch x)", "--against", "*"]),
    ],
)
def test_inputs_that_are_not_given_are_no_arguments(given: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    environment = inputs(tmp_path, **({"TARGET": "net.py:Net"} | given))
    arguments = recorded(AUDIT, "capsaudit", environment, tmp_path)
    assert arguments[: arguments.index("--format")] == ["audit", environment["TARGET"], *expected]


def test_a_step_that_would_compare_nothing_does_not_pass(tmp_path: Path) -> None:
    """To look at a model is exit code 0 of the command; a check of nothing must fail."""
    done = run(AUDIT, inputs(tmp_path, TARGET="net.py:Net", ARGUMENTS="--input=1,28,28"), tmp_path)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("::error title=capsaudit::nothing is stated about net.py:Net; ")


@pytest.mark.parametrize("argument", ["--claims=net.claims.toml", "--against=paper", "--against\npaper"])
def test_what_is_stated_may_be_among_the_arguments(tmp_path: Path, argument: str) -> None:
    given = inputs(tmp_path, TARGET="net.py:Net", ARGUMENTS=argument)
    arguments = recorded(AUDIT, "capsaudit", given, tmp_path)
    assert arguments[: arguments.index("--format")] == ["audit", "net.py:Net", *argument.split("\n")]


def test_a_model_that_is_what_is_stated_and_one_that_is_not(tmp_path: Path) -> None:
    path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    right = inputs(
        tmp_path,
        TARGET="classifier.py:SmallClassifier",
        CLAIMS="classifier.claims.toml",
        ARGUMENTS="--input\n1,28,28\n",
    )
    done = run(AUDIT, right | path, EXAMPLES)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 claims hold" in done.stdout
    assert "27,098" in (tmp_path / "summary.md").read_text()
    assert json.loads((tmp_path / "log.sarif").read_text())["runs"][0]["results"] == []
    wrong = inputs(tmp_path, TARGET="capsnets.py:OtherWidths", AGAINST="paper", ARGUMENTS="--input=1,28,28")
    done = run(AUDIT, wrong | path, EXAMPLES)
    assert done.returncode == 1, done.stderr
    assert "decoder.hidden 512, 1,024 → 522, 1,176 (+210,514)" in done.stdout
