"""The page as a whole: from the kept files alone, with the pictures that are there, and safe whatever the names are."""

from pathlib import Path

from capsaudit.reporting.training.page import page, training_files
from capsaudit.reporting.training.runs import training_runs
from tests.names import unsafe
from tests.reporting.training.recorded import record, settings


def test_the_page_depends_on_the_kept_files_alone(tmp_path: Path) -> None:
    """Not on the clock or the memory, which other machines have otherwise, and not on where the folder is."""
    pages = []
    for name in ("one", "two"):
        folder = record(tmp_path / name / "training" / "a", settings())
        if name == "two":
            log = folder / "epochs.jsonl"
            log.write_text(log.read_text().replace('seconds": 1.0', 'seconds": 2.0').replace('bytes": 1', 'bytes": 2'))
        pages.append(training_files(tmp_path / name, []))
    assert pages[0] == pages[1]
    assert list(pages[0]) == ["training.md"]


def test_without_runs_there_is_a_page_without_settings(tmp_path: Path) -> None:
    text = training_files(tmp_path, [])["training.md"].decode()
    assert text.count("not run") >= 10
    assert "## The settings" not in text
    assert "| 0.25 ± 0.005 |" in text


def test_pictures_are_shown_where_they_are(tmp_path: Path) -> None:
    folder = record(tmp_path / "training" / "a (1)", settings())
    without = training_files(tmp_path, [])["training.md"].decode()
    (folder / "paper-reconstructions.png").write_bytes(b"")
    (folder / "article-dimensions.png").write_bytes(b"")
    shown = training_files(tmp_path, [])["training.md"].decode()
    assert "![" not in without
    assert shown.count("![") == 1
    assert "](training/a%20%281%29/paper-reconstructions.png)" in shown


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    name = "x|`y`<b>[z](javascript:alert(1))\u202e\n# h"
    record(tmp_path / "training" / name.replace("/", ""), settings(more={"variant": name, "versions": {name: name}}))
    text = page(training_runs(tmp_path, []), tmp_path)
    assert not unsafe(text.replace("\n", ""))
    for markup in ("<b>", "`y`", "[z](", "\u202e", "\n# h"):
        assert markup not in text
