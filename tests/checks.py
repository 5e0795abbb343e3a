"""Every check of CI, one after another, in the present environment.

python -m tests.checks                  all of them
python -m tests.checks ruff mypy        only these
python -m tests.checks --skip pytest    all but these
python -m tests.checks --list           their names and commands
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[1]

Command = tuple[str, ...]


def pages_with_output() -> list[str]:
    """The README and the pages of docs/ in which cog writes the output of commands."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page.relative_to(ROOT).as_posix() for page in pages if "[[[cog" in page.read_text(encoding="utf-8")]


CHECKS: dict[str, Command] = {
    "ruff": ("ruff", "check", "."),
    "ruff-format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "lint-imports": ("lint-imports",),
    "cog": ("cog", "-P", "--check", *pages_with_output()),
    "site": ("mkdocs", "build", "--strict"),  # not --quiet, which hides warnings from --strict
    "notebooks": ("pytest", "tests/test_notebooks.py"),
    "check": ("capsaudit", "check"),
    "report": ("capsaudit", "report", "--check"),
    "pytest": ("pytest",),
    "slow": ("pytest", "-m", "slow"),
}
"""The command of each check, by name, in the order in which they run."""


class Outcome(Struct, frozen=True):
    """How a check ended: 0 is the exit code of a check that passed."""

    name: str
    code: int
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen checks. 1 if one fails; the others run all the same."""
    options = _parser().parse_args(arguments)
    chosen = {name: CHECKS[name] for name in CHECKS if name in (options.names or CHECKS) and name not in options.skip}
    if options.list:
        print("\n".join(f"{name:<14}{shlex.join(command)}" for name, command in chosen.items()))
        return 0
    outcomes = [_run(name, command) for name, command in chosen.items()]
    print(_summary(outcomes), flush=True)
    return int(any(outcome.code for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.checks", description="Run every check of CI in the present environment."
    )
    parser.add_argument("names", nargs="*", type=_known, metavar="NAME", help="run only this check; repeatable")
    parser.add_argument("--skip", action="append", default=[], type=_known, metavar="NAME", help="leave this one out")
    parser.add_argument("--list", action="store_true", help="print the names and commands, and run nothing")
    return parser


def _known(name: str) -> str:
    if name not in CHECKS:
        raise argparse.ArgumentTypeError(f"no check {name!r}; expected one of: {', '.join(CHECKS)}")
    return name


def _run(name: str, command: Command) -> Outcome:
    print(f"\n== {name}: {shlex.join(command)}", flush=True)
    start = time.monotonic()
    return Outcome(name, _exit_code(command), time.monotonic() - start)


def _exit_code(command: Command) -> int:
    """Run a program of the environment that runs this module, whether or not it is activated."""
    program, *arguments = command
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    found = shutil.which(program, path=path)
    if found is None:
        print(f"{program} is not installed: python -m pip install -c constraints.txt -e '.[dev,docs]'", flush=True)
        return 127
    return subprocess.run([found, *arguments], cwd=ROOT, env=os.environ | {"PATH": path}, check=False).returncode


def _summary(outcomes: Sequence[Outcome]) -> str:
    rows = [
        f"{each.name:<14}{'passed' if each.code == 0 else f'failed, exit code {each.code}':<24}{each.seconds:>7.1f} s"
        for each in outcomes
    ]
    return "\n".join(["\n== summary", *rows])


if __name__ == "__main__":
    sys.exit(main())
