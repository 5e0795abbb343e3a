"""The real command line, in real processes."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from capsaudit import __version__
from capsaudit.catalogue import shipped
from tests.processes import run
from tests.expected import TOTALS

NO_TORCH = (
    ["--help"],
    ["--version"],
    ["variants"],
    ["compare", "--witness", "formula"],
    ["count", "--variant", "paper", "--witness", "formula"],
    ["explain", "article", "multimnist"],
    ["check", "--witness", "formula"],
)


def imported_by(arguments: list[str]) -> set[str]:
    """Modules that a command imports, as the interpreter itself tells."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "capsaudit", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("arguments", NO_TORCH, ids=" ".join)
def test_commands_that_need_no_torch_do_not_import_it(arguments: list[str]) -> None:
    imported = imported_by(arguments)
    assert "typer" in imported
    assert not {"torch", "torchinfo", "numpy"} & imported


def test_the_test_above_can_fail() -> None:
    assert {"torch", "torchinfo"} <= imported_by(["count", "--variant", "paper"])


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
        (["frobnicate"], 2),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (code != 2)
    assert bool(done.stderr) == (code == 2)


def test_debug_shows_the_traceback_wherever_it_stands() -> None:
    for arguments in (["--debug", "count", "--variant", "papr"], ["count", "--variant", "papr", "--debug"]):
        assert "Traceback" in run(*arguments).stderr


def test_version() -> None:
    assert run("--version").stdout == f"capsaudit {__version__}\n"


def test_several_faults_are_listed() -> None:
    stderr = run("count", "--variant", "paper", "--set", "conv1.kernel=0", "--set", "conv1.strde=1").stderr
    assert stderr.startswith("capsaudit: 2 faults\n  --set conv1.strde=1: ")


def numbers(text: str) -> set[str]:
    """Whole figures of four digits or more, as printed."""
    return set(re.findall(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?![\d,])", text))


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 200, 400])
def test_no_number_is_cut_short_at_any_width(columns: int) -> None:
    printed = run("compare", "--witness", "formula", columns=columns).stdout
    assert {f"{total:,}" for total in TOTALS.values()} <= numbers(printed)
    assert "…" not in printed
    article = run("count", "--variant", "article", "--witness", "formula", columns=columns).stdout
    assert {"20,992", "5,308,672", "1,497,600", "82,432", "525,312", "803,600", "8,238,608"} <= numbers(article)
    ledger = run("explain", "article", "multimnist", columns=columns).stdout
    assert {"8,238,608", "8,227,088", "8,215,568", "11,361,808", "3,146,240"} <= numbers(ledger)


@pytest.mark.parametrize("columns", [80, 200])
def test_tables_keep_within_the_terminal(columns: int) -> None:
    for arguments in (["compare", "--witness", "formula"], ["variants"], ["explain", "article", "multimnist"]):
        printed = run(*arguments, columns=columns).stdout
        assert max(map(len, printed.splitlines())) <= columns


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


def test_json_of_every_command() -> None:
    compared = json.loads(run("compare", "--format", "json").stdout)
    assert {v["variant"]: v["trainable"] for v in compared["variants"]} == TOTALS
    assert all(
        set(v["witnesses"].values()) == {v["trainable"]} and len(v["witnesses"]) == 3 for v in compared["variants"]
    )
    ledger = json.loads(run("explain", "article", "multimnist", "--format", "json").stdout)
    assert (ledger["from"], ledger["to"], ledger["difference"]) == ("article", "multimnist", 11_361_808 - 8_238_608)
    assert set(ledger["steps"][0]) >= {"knob", "from", "to", "difference", "total"}
    checked = json.loads(run("check", "paper", "--format", "json").stdout)
    assert checked["agrees"] is True
    assert checked["failures"] == []
    listed = json.loads(run("variants", "--format", "json").stdout)
    assert {v["id"] for v in listed["variants"]} == set(shipped())


def test_csv_holds_raw_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(run("count", "--variant", "article", "--format", "csv").stdout)))
    assert {row["layer"]: row["trainable"] for row in rows}["total"] == "8238608"
    compared = list(csv.DictReader(io.StringIO(run("compare", "--witness", "formula", "--format", "csv").stdout)))
    total = next(row for row in compared if row["layer"] == "total")
    assert {name: int(total[name]) for name in TOTALS} == TOTALS


def test_markdown_is_a_table() -> None:
    printed = run("count", "--variant", "article", "--format", "markdown").stdout
    assert "| conv1 | 1×28×28 | 256×20×20 | (9·9·1 + 1)·256 | 20,992 | 20992 | agrees |" in printed


def failing_file(tmp_path: Path) -> str:
    path = tmp_path / "mine,%.toml"
    path.write_text('extends = "paper"\nsummary = "m"\n[stated]\nsource = "me"\ntotal = "11.36M"\nlayers.conv1 = "1"\n')
    return str(path)


@pytest.mark.parametrize("form", ["rich", "json", "markdown", "csv", "github", "junit"])
def test_the_exit_code_of_check_does_not_depend_on_the_format(form: str, tmp_path: Path) -> None:
    assert run("check", "paper", "--witness", "formula", "--format", form).returncode == 0
    assert run("check", "paper", failing_file(tmp_path), "--witness", "formula", "--format", form).returncode == 1


def test_github_annotations(tmp_path: Path) -> None:
    lines = run("check", failing_file(tmp_path), "--witness", "formula", "--format", "github").stdout.splitlines()
    assert lines == [
        "::error title=capsaudit mine%2C%25 conv1::stated: expected 1, found 20,992",
        "::error title=capsaudit mine%2C%25::stated: expected 11.36M, found 8,215,568",
    ]
    assert run("check", "paper", "--witness", "formula", "--format", "github").stdout.startswith(
        "::notice title=capsaudit::"
    )


def test_junit_has_a_case_for_each_variant(tmp_path: Path) -> None:
    suite = ET.fromstring(
        run("check", "paper", failing_file(tmp_path), "--witness", "formula", "--format", "junit").stdout
    )[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    cases = {case.get("name"): case.find("failure") for case in suite}
    assert cases["paper"] is None
    assert "expected 11.36M, found 8,215,568" in str(cases["mine,%"].text)  # type: ignore[union-attr]


def test_the_waterfall_stands_on_its_numbers() -> None:
    printed = run("explain", "article", "multimnist").stdout
    up = next(line for line in printed.splitlines() if "█" in line)
    down = [line for line in printed.splitlines() if "▒" in line]
    assert "+3,146,240" in up
    assert len(down) == 2
    assert all("−11,520" in line for line in down)


def test_help_names_every_command() -> None:
    printed = run("--help").stdout
    for command in ("variants", "count", "compare", "explain", "check"):
        assert command in printed
