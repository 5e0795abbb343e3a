"""report as users run it: written, up to date, out of date. What it contains is tested in tests/reporting."""

import json
from pathlib import Path

from capsaudit.reporting.writing import FILES
from tests.processes import invoke, run


def test_a_report_is_written_and_then_up_to_date(tmp_path: Path) -> None:
    first = run("report", "--output", "mine", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == set(FILES)
    assert (
        first.stdout.splitlines()[0] == f"mine: {len(FILES)} of {len(FILES)} files written, the others were up to date"
    )
    checked = invoke("report", "--output", "mine", "--check", cwd=tmp_path)
    assert (checked.returncode, checked.stdout.splitlines()[0]) == (0, "mine: up to date")


def test_a_check_fails_on_any_file_and_writes_nothing(tmp_path: Path) -> None:
    missing = invoke("report", "--output", "mine", "--check", "--format", "json", cwd=tmp_path)
    assert missing.returncode == 1
    assert set(json.loads(missing.stdout)["outdated"]) == set(FILES)
    assert not (tmp_path / "mine").exists()
    assert invoke("report", "--output", "mine", cwd=tmp_path).returncode == 0
    page = tmp_path / "mine" / "audit.md"
    page.write_text(page.read_text() + "\n")
    outdated = invoke("report", "--output", "mine", "--check", cwd=tmp_path)
    assert outdated.returncode == 1
    assert "To update them: capsaudit report --output mine" in " ".join(outdated.stdout.split())
    assert page.read_text().endswith("\n\n")
    found = json.loads(invoke("report", "--output", "mine", "--check", "--format", "json", cwd=tmp_path).stdout)
    assert (found["outdated"], found["checked"]) == (["audit.md"], True)


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file")
    for arguments in (["--check"], []):
        done = invoke("report", "--output", "mine", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("capsaudit: mine")
