"""What several files of the repository repeat: its address, the version, the names of checks, and actions pinned by commit."""

import re
import tomllib
from pathlib import Path

import pytest

from capsaudit import __version__
from tests.checks import CHECKS

ROOT = Path(__file__).parents[1]
FOLDERS = ("capsaudit", "docs", "examples", "reports", "variants", ".github")
TEXT = {".cff", ".html", ".json", ".md", ".py", ".toml", ".yaml", ".yml"}

PATHS = [path for path in ROOT.iterdir() if path.suffix in TEXT]
PATHS += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in TEXT]

REPOSITORY = re.compile(r"(?:github\.com/|uses: )([\w.-]+/capsaudit)\b")
"""An owner's repository of this name, in an address or as an action."""

WORKFLOWS = [*sorted((ROOT / ".github/workflows").glob("*.yml")), ROOT / "action.yml"]


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_file_has_the_same_address() -> None:
    found = {path.relative_to(ROOT): set(REPOSITORY.findall(path.read_text(encoding="utf-8"))) for path in PATHS}
    expected = {Path(name) for name in ("CHANGELOG.md", "CITATION.cff", "SECURITY.md", "pyproject.toml")}
    assert expected <= {path for path, names in found.items() if names}
    assert len(set().union(*found.values())) == 1, {path: names for path, names in found.items() if names}


def test_every_address_of_the_package_is_in_the_repository() -> None:
    urls = tomllib.loads(text_of("pyproject.toml"))["project"]["urls"]
    assert set(urls) == {"Homepage", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(urls["Homepage"]) for url in urls.values())


def test_the_version_is_the_same_everywhere() -> None:
    cited = re.search(r"^version: (.+)$", text_of("CITATION.cff"), re.MULTILINE)
    changed = re.search(r"^## \[(\d.*?)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert cited
    assert changed
    assert cited[1] == changed[1] == __version__


def test_every_version_of_the_changelog_has_a_link() -> None:
    text = text_of("CHANGELOG.md")
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE) == re.findall(r"^\[(.+?)\]: https", text, re.MULTILINE)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    used = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in used), used


@pytest.mark.parametrize(
    "name", [".ci/run", ".github/workflows/ci.yml", ".github/workflows/weekly.yml", "CONTRIBUTING.md"]
)
def test_checks_that_are_named_exist(name: str) -> None:
    calls = re.findall(r"python -m tests\.checks([ \w-]*)", text_of(name))
    assert calls
    assert {word for call in calls for word in call.split()} <= {*CHECKS, "--skip", "--list"}


def test_ci_runs_every_check() -> None:
    """The tests by the command of the README, which installs the package too, and everything else by `tests.checks`."""
    assert 'grep -m 1 "&& pytest" README.md' in text_of(".ci/run")
    assert "&& pytest\n" in text_of("README.md")
    assert re.findall(r"python -m tests\.checks(.*)", text_of(".ci/run")) == [' "${skipped[@]}"']
    skipped = re.findall(r"skipped\+?=\((.*)\)", text_of(".ci/run"))
    assert skipped == ["--skip pytest", "--skip site --skip notebooks"]  # the last two where their tools cannot be had
