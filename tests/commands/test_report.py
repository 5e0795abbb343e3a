"""report as users run it: written, up to date, out of date. What it contains is tested in tests/reporting."""

import json
import re
import shutil
from pathlib import Path

import pytest

from capsaudit.reporting.training.page import PAGE
from capsaudit.reporting.writing import FILES as AUDIT
from tests.processes import invoke, run
from tests.train.runs import train, write_small

FILES = (*AUDIT, PAGE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of some seconds."""
    folder = tmp_path_factory.mktemp("trained")
    train(write_small(folder), folder / "tiny")
    return folder / "tiny"


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


def test_a_finished_run_is_kept_and_checked(trained: Path, tmp_path: Path) -> None:
    """Two files of it are copied, whole; the page is made from them alone from then on."""
    added = invoke("report", "--output", "mine", "--run", str(trained), cwd=tmp_path)
    assert (added.returncode, added.stderr) == (0, "")
    kept = tmp_path / "mine" / "training" / "tiny"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        name: (trained / name).read_bytes() for name in ("settings.toml", "epochs.jsonl")
    }
    page = (tmp_path / "mine" / PAGE).read_text(encoding="utf-8")
    assert "## Training run tiny" in page
    assert str(trained.parent) not in page + (kept / "settings.toml").read_text(encoding="utf-8")
    again = invoke("report", "--output", "mine", "--check", "--format", "json", cwd=tmp_path)
    assert (again.returncode, json.loads(again.stdout)["outdated"]) == (0, [])
    rows = (kept / "epochs.jsonl").read_text().replace('"loss": 0.', '"loss": 0.9')
    (kept / "epochs.jsonl").write_text(rows)
    changed = invoke("report", "--output", "mine", "--check", "--format", "json", cwd=tmp_path)
    assert (changed.returncode, json.loads(changed.stdout)["outdated"]) == (1, [PAGE])


def test_what_is_no_finished_run_is_named_and_nothing_is_written(trained: Path, tmp_path: Path) -> None:
    foreign, damaged = tmp_path / "foreign", tmp_path / "damaged"
    foreign.mkdir()
    shutil.copytree(trained, damaged)
    (damaged / "epochs.jsonl").write_text((damaged / "epochs.jsonl").read_text().replace('"step": 41', '"step": 40'))
    runs = [argument for path in (foreign, damaged, trained) for argument in ("--run", str(path))]
    done = invoke("report", "--output", "mine", *runs, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "capsaudit: 2 faults",
        f"  {foreign}: has no settings.toml; expected the folder of a training run, as capsaudit train writes it",
        f"  {damaged / 'epochs.jsonl'}: is not the log that manifest.json describes; expected the one that this run wrote",
    ]
    assert not (tmp_path / "mine").exists()


def test_pictures_of_a_run_are_drawn_again_beside_what_is_kept_of_it(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command on the finished run draws them and trains no step. So small a network makes a grey spot, which is left out."""
    monkeypatch.setattr("capsaudit.train.pictures.LEAST_EXPLAINED", 0)
    monkeypatch.setattr("capsaudit.train.pictures.LEAST_CHANGE", 0)
    steps = (trained / "steps.jsonl").read_bytes()
    train(trained.parent / "small.toml", trained, pictures=tmp_path / "mine" / "training" / "tiny")
    assert (trained / "steps.jsonl").read_bytes() == steps
    assert invoke("report", "--output", "mine", "--run", str(trained), cwd=tmp_path).returncode == 0
    shown = re.findall(r"\]\((training/tiny/.+?)\)", (tmp_path / "mine" / PAGE).read_text(encoding="utf-8"))
    assert [Path(name).name for name in shown] == ["small-reconstructions.png", "small-dimensions.png"]
    assert all((tmp_path / "mine" / name).is_file() for name in shown)
