"""The command line as a whole. What a command answers is tested in tests/commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from capsaudit import __version__, cli
from tests.expected import TOTALS
from tests.processes import imported_by, invoke, run

EXAMPLES = Path(__file__).parents[1] / "examples"

COMMANDS = {
    "audit",
    "check",
    "claims",
    "compare",
    "count",
    "evaluate",
    "explain",
    "reconcile",
    "report",
    "train",
    "train-smoke",
    "variants",
}
"""Those of the contract, as far as there are any yet."""


def listed_commands(printed: str) -> set[str]:
    """The first words in the box that `--help` draws around the commands."""
    box = printed[printed.index("─ Commands") :]
    return set(re.findall(r"^│ (\S+)", box, re.MULTILINE))


def test_help_names_every_command() -> None:
    registered = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
    assert set(registered) == COMMANDS
    for option in ("--help", "-h"):
        assert listed_commands(invoke(option).stdout) == COMMANDS
    assert listed_commands(run().stdout) == COMMANDS  # nothing asked: the help, and exit code 2


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_a_help(command: str) -> None:
    printed = invoke(command, "--help").stdout
    assert f"capsaudit {command}" in printed
    assert invoke(command, "-h").stdout == printed


def test_version() -> None:
    assert run("--version").stdout == f"capsaudit {__version__}\n"


NO_TORCH = (
    ["--help"],
    ["--version"],
    ["variants"],
    ["compare", "--witness", "formula"],
    ["count", "--variant", "paper", "--witness", "formula"],
    ["explain", "article", "multimnist"],
    ["check", "--witness", "formula"],
)


@pytest.mark.parametrize("arguments", NO_TORCH, ids=" ".join)
def test_commands_that_need_no_torch_do_not_import_it(arguments: list[str]) -> None:
    imported = imported_by(arguments)
    assert "typer" in imported
    assert not {"torch", "torchinfo", "numpy"} & imported


@pytest.mark.parametrize(
    "arguments", [["reconcile", "8.2M", "--witness", "formula"], ["reconcile", "--joint"]], ids=" ".join
)
def test_searches_need_numpy_but_no_torch(arguments: list[str]) -> None:
    imported = imported_by(arguments)
    assert "typer" in imported
    assert "torch" not in imported


def test_the_tests_above_can_fail() -> None:
    assert {"torch", "torchinfo"} <= imported_by(["count", "--variant", "paper"])
    assert "torch" in imported_by(["reconcile", "8.2M", "--top", "1"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["variants"], 0),
        (["count", "--variant", "article"], 0),
        (["count", "--variant", "paper", "--set", "image.size=36"], 1),
        (["count", "--variant", "papr"], 2),
        (["count", "--variant", "paper", "--set", "conv1.kernel=0"], 2),
        (["count", "--variant", "paper", "--witness", "thop"], 2),
        (["count", "--variant", "paper", "--format", "yaml"], 2),
        (["count"], 2),
        (["compare", "paper", "article"], 0),
        (["compare", "paper", "--set", "image.size=36", "--witness", "formula"], 1),
        (["explain", "paper", "article"], 0),
        (["explain", "paper"], 2),
        (["check", "paper"], 0),
        (["check", "nowhere.toml"], 2),
        (["reconcile", "11.36M", "--witness", "formula"], 0),
        (["reconcile", "12.345M", "--changes", "1", "--witness", "formula"], 1),
        (["reconcile", "--joint"], 0),
        (["claims", "--witness", "formula"], 1),
        (["claims", "paper", "--witness", "torch"], 0),
        (["reconcile"], 2),
        (["reconcile", "8.2M", "--joint"], 2),
        (["reconcile", "--joint", "--from", "multimnist"], 2),
        (["reconcile", "--joint", "--changes", "2"], 2),
        (["reconcile", "many"], 2),
        (["reconcile", "11.36"], 2),
        (["reconcile", "8.2M", "--changes", "0"], 2),
        (["reconcile", "8.2M", "--top", "0"], 2),
        (["reconcile", "8.2M", "--from", "papr"], 2),
        (["reconcile", "8.2M", "--space", "nowhere.toml"], 2),
        (["reconcile", "8.2M", "--space", "baseline"], 2),
        (["reconcile", "8.2M", "--witness", "thop"], 2),
        (["claims", "nowhere.toml"], 2),
        (["claims", "nowhere"], 2),
        (["audit", "nowhere.py:Net"], 2),
        (["report", "--check", "--output", __file__], 2),
        (["train-smoke", "papr"], 2),
        (["frobnicate"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = invoke(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (code != 2)
    assert bool(done.stderr) == (code == 2)


@pytest.mark.parametrize("arguments", [["count", "papr"], ["variants"], ["compare", "paper", "--witness", "formula"]])
def test_a_process_does_what_the_tests_within_this_one_see(arguments: list[str]) -> None:
    real, within = run(*arguments), invoke(*arguments)
    assert (real.returncode, real.stdout, real.stderr) == (within.returncode, within.stdout, within.stderr)


def test_debug_shows_the_traceback_wherever_it_is_given() -> None:
    for arguments in (["--debug", "count", "--variant", "papr"], ["count", "--variant", "papr", "--debug"]):
        assert "Traceback" in run(*arguments).stderr


def test_several_faults_are_listed() -> None:
    stderr = invoke("count", "--variant", "paper", "--set", "conv1.kernel=0", "--set", "conv1.strde=1").stderr
    assert stderr.startswith("capsaudit: 2 faults\n  --set conv1.strde=1: ")


def numbers(text: str) -> set[str]:
    """Whole figures of four digits or more, as printed."""
    return set(re.findall(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?!,?\d)", text))


SHOWN = [
    (["compare", "--witness", "formula"], {f"{total:,}" for total in TOTALS.values()}),
    (
        ["count", "--variant", "article", "--witness", "formula"],
        {"20,992", "5,308,672", "1,497,600", "82,432", "525,312", "803,600", "8,238,608"},
    ),
    (["explain", "article", "multimnist"], {"8,238,608", "8,227,088", "8,215,568", "11,361,808", "3,146,240"}),
    (["variants"], {f"{total:,}" for total in TOTALS.values()}),
    # 11,361,808; + 160 biases; − 256 biases
    (["reconcile", "11.36M", "--witness", "formula"], {"11,361,808", "11,361,968", "11,361,552"}),
    (["reconcile", "--joint"], {"8,215,568", "11,361,808", "35,445,522", "11,393,808"}),
    (["claims", "--witness", "formula"], {"8,215,568", "8,215,728", "8,227,088", "8,238,608", "11,425,808"}),
]
"""Commands, and numbers that each of them shows."""


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 120, 200, 400])
@pytest.mark.parametrize(
    ("arguments", "expected"), SHOWN, ids=lambda value: value[0] if isinstance(value, list) else ""
)
def test_no_number_is_cut_short_at_any_width(arguments: list[str], expected: set[str], columns: int) -> None:
    printed = invoke(*arguments, columns=columns).stdout
    assert expected <= numbers(printed)
    assert "…" not in printed


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_number_of_an_audit_is_cut_short(columns: int) -> None:
    """Names of tensors are left out between the first and the last of a layer; numbers never are."""
    printed = invoke("audit", "capsnets.py:OtherWidths", "--input", "1,28,28", cwd=EXAMPLES, columns=columns).stdout
    assert {"8,426,082", "8,215,568", "5,308,672", "210,514"} <= numbers(printed)
    assert "…" not in printed.replace(" … ", "").replace("…\n", "\n")


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize(
    ("arguments", "title_fits"),
    [
        (["compare", "--witness", "formula"], True),
        (["variants"], True),
        (["explain", "article", "multimnist"], True),
        (["reconcile", "22.48M", "--witness", "formula"], False),
        (["reconcile", "14.36M"], False),
        (["reconcile", "--joint"], False),
        (["claims", "--witness", "formula"], True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_tables_keep_within_the_terminal(arguments: list[str], title_fits: bool, columns: int) -> None:
    """A title is a line of its own, which the terminal may wrap; a table that does not fit is no table any more."""
    title, *lines = invoke(*arguments, columns=columns).stdout.splitlines()
    assert max(map(len, [title, *lines] if title_fits else lines)) <= columns
    first = next(line for line in lines if line.strip())
    assert any("───" in line for line in lines[lines.index(first) :][:5]), f"no table: {title}"


def test_piped_output_is_plain() -> None:
    assert "\x1b" not in run("compare", "--witness", "formula").stdout


def test_colour_on_a_terminal_and_not_with_no_color() -> None:
    arguments = ("compare", "paper", "article", "--witness", "formula")
    coloured = run(*arguments, FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[33m" in coloured
    assert not re.search(
        r"\x1b\[[0-9;]*3[0-7]m", run(*arguments, FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").stdout
    )


def test_a_reader_that_stops_early_changes_nothing() -> None:
    command = f"{sys.executable} -m capsaudit compare --witness formula | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("form", ["rich", "json"])
def test_a_full_disk_is_a_message(form: str) -> None:
    command = [sys.executable, "-m", "capsaudit", "variants", "--format", form]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "capsaudit: the result could not be written: No space left on device\n",
    )


def test_a_terminal_without_unicode_gets_an_answer() -> None:
    done = run("count", "--variant", "article", "--witness", "formula", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "8,238,608" in done.stdout
    assert "(9*9*1 + 1)*256" in done.stdout
    ledger = run("explain", "article", "multimnist", PYTHONIOENCODING="ascii").stdout
    assert "-11,520" in ledger
    assert "?" not in ledger


@pytest.mark.parametrize("line", ["count paper", "compare paper", "claims article"])
def test_latex_is_for_what_papers_print(line: str) -> None:
    done = invoke(*line.split(), "--witness", "formula", "--format", "latex")
    assert "\\toprule" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "line", ["variants", "explain paper article", "check paper", "audit x", "report", "train-smoke"]
)
def test_other_commands_refuse_latex(line: str) -> None:
    done = invoke(*line.split(), "--format", "latex")
    assert (done.returncode, done.stdout) == (2, "")
    assert "latex" in done.stderr
