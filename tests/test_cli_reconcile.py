"""reconcile and claims as users run them: real processes, real files."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.interpretations.large import write_large_space
from tests.processes import run
from tests.test_cli import imported_by, numbers


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["reconcile", "11.36M", "--witness", "formula"], 0),
        (["reconcile", "12.00M", "--changes", "1", "--witness", "formula"], 1),
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
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (code != 2)
    assert bool(done.stderr) == (code == 2)


def test_the_first_line_answers() -> None:
    first = run("reconcile", "11.36M").stdout.splitlines()[0]
    assert first == "11.36M: one change, image.size 28 → 36: 11,361,808 = multimnist"


@pytest.mark.parametrize(
    "arguments", [["reconcile", "8.2M", "--witness", "formula"], ["reconcile", "--joint"]], ids=" ".join
)
def test_without_the_torch_witness_torch_is_not_imported(arguments: list[str]) -> None:
    imported = imported_by(arguments)
    assert "typer" in imported
    assert "torch" not in imported
    assert "torch" in imported_by(["reconcile", "8.2M", "--top", "1"])


def test_json_has_the_keys_of_the_contract() -> None:
    found = json.loads(run("reconcile", "11.36M", "--witness", "formula", "--format", "json").stdout)
    assert (found["schema"], found["figure"], found["interval"], found["from"]) == (
        1,
        "11.36M",
        [11_355_000, 11_364_999],
        "paper",
    )
    assert found["complete"] is True
    assert found["examined"] == found["holds"]
    first = found["explanations"][0]
    assert first["total"] == 11_361_808
    assert [(c["knob"], c["from"], c["to"]) for c in first["changes"]] == [("image.size", 28, 36)]


def test_joint_json_has_the_keys_of_the_contract() -> None:
    found = json.loads(run("reconcile", "--joint", "--format", "json").stdout)
    assert (found["schema"], found["satisfied"]) == (1, True)
    assert found["claims"][0] == "paper-mnist"
    logits = next(knob for knob in found["knobs"] if knob["knob"] == "digit_caps.logits")
    assert logits["allowed"] == ["zero", "frozen"]
    assert [(e["value"], e["by"], e["total"]) for e in logits["excluded"]] == [
        ("trainable", ["paper-multimnist"], 11_393_808)
    ]


def test_claims_json_has_the_keys_of_the_contract() -> None:
    found = json.loads(run("claims", "article", "--witness", "formula", "--format", "json").stdout)
    claim = next(claim for claim in found["claims"] if claim["id"] == "article-official-figure")
    keys = ("source", "stated", "about", "verdict", "exact", "true_of")
    assert [claim[key] for key in keys] == ["article", "11.36M", "paper", "misattributed", 8_215_568, ["multimnist"]]
    assert claim["because"]


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120, 200])
def test_no_number_is_cut_short_at_any_width(columns: int) -> None:
    printed = run("reconcile", "11.36M", "--witness", "formula", columns=columns).stdout
    assert {"11,361,808", "11,361,968", "11,361,552"} <= numbers(printed)
    joint = run("reconcile", "--joint", columns=columns).stdout
    assert {"8,215,568", "11,361,808", "35,445,522", "11,393,808"} <= numbers(joint)
    claims = run("claims", "--witness", "formula", columns=columns).stdout
    assert {"8,215,568", "8,215,728", "8,227,088", "8,238,608", "11,425,808"} <= numbers(claims)
    assert "…" not in printed + joint + claims


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize(
    "arguments",
    [["reconcile", "22.48M", "--witness", "formula"], ["reconcile", "--joint"], ["claims", "--witness", "formula"]],
    ids=" ".join,
)
def test_tables_keep_within_the_terminal(arguments: list[str], columns: int) -> None:
    title, *lines = run(*arguments, columns=columns).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert any("───" in line for line in lines), f"no table: {title}"


def test_csv_has_one_value_a_column() -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(run("reconcile", "6.8M", "--witness", "formula", "--top", "2", "--format", "csv").stdout)
        )
    )
    assert [(row["total"], row["variant"]) for row in rows] == [
        ("6804224", "paper-no-decoder"),
        ("6781968", "shared-w-grid"),
    ]
    joint = list(csv.DictReader(io.StringIO(run("reconcile", "--joint", "--format", "csv").stdout)))
    assert {"knob": "decoder.input", "value": "selected", "allowed": "no"}.items() <= next(
        row for row in joint if row["value"] == "selected"
    ).items()
    claims = list(csv.DictReader(io.StringIO(run("claims", "paper", "--witness", "formula", "--format", "csv").stdout)))
    assert claims[0]["exact"] == "8215568"


@pytest.mark.parametrize(
    "arguments",
    [["reconcile", "8.2M", "--witness", "formula"], ["reconcile", "--joint"], ["claims", "--witness", "formula"]],
    ids=" ".join,
)
def test_markdown(arguments: list[str]) -> None:
    printed = run(*arguments, "--format", "markdown").stdout
    assert printed.startswith("### ")
    assert "| --- |" in printed or "| ---: |" in printed


def test_a_space_of_ones_own(tmp_path: Path) -> None:
    """5·5 kernels: (25 + 1)·256 + (81·256 + 1)·256 + 1152·1280·… : 28 − 4 = 24, ⌊15/2⌋ + 1 = 8, 2048 capsules: 2048·1280."""
    total = 26 * 256 + (81 * 256 + 1) * 256 + 2048 * 1280 + 82_432 + 525_312 + 803_600
    space = tmp_path / "mine.toml"
    space.write_text(
        'family = "capsnet"\nsummary = "mine"\n[[knobs]]\nknob = "conv1.kernel"\nalternatives = [{ value = 5, assumption_cost = 1, source = "me" }]\n'
    )
    done = run("reconcile", str(total), "--space", "mine.toml", "--format", "json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (found["examined"], found["found"], found["explanations"][0]["total"]) == (2, 1, total)
    assert found["explanations"][0]["confirmed"] is True


def test_claims_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'source = "me"\ntitle = "mine"\n[[claims]]\nid = "one"\nplace = "here"\nabout = "paper"\nstated = "8.23M"\n'
    )
    done = run("claims", "mine.toml", "--witness", "formula", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    found = json.loads(done.stdout)["claims"]
    assert [(claim["verdict"], claim["true_of"]) for claim in found] == [("misattributed", ["trainable-logits"])]


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent as a POSIX signal")
def test_an_interrupt_is_told_in_one_line(tmp_path: Path) -> None:
    space = write_large_space(tmp_path / "large.toml")
    command = [sys.executable, "-m", "capsaudit", "reconcile", "11.36M", "--space", str(space), "--witness", "formula"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1.5)
        assert process.poll() is None, "it was done before it could be interrupted"
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=60)
    assert (process.returncode, printed, said) == (130, "", "capsaudit: interrupted\n")
