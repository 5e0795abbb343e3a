"""What the README and docs/ must have: the two commands of the set-up, every key of a file, every word of a verdict, the version."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
from msgspec import Struct
from msgspec.structs import fields

from capsaudit import __version__
from capsaudit.catalogue import claims, model_claims, spaces, variant
from capsaudit.inventory import POLICIES, FindingKind
from capsaudit.published import Verdict
from capsaudit.results.claims import ClaimVerdict
from capsaudit.results.reconcile import Evidence
from capsaudit.results.train_smoke import RunVerdict
from tests import site
from tests.checks import pages_with_output

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ALL = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def first_column(text: str, heading: str) -> set[str]:
    """The names in code in the first column of the first table under a heading."""
    section = re.split(rf"^#+ {re.escape(heading)}\n", text, flags=re.MULTILINE)[1].lstrip()
    table = re.search(r"^\|(?:.*\n)+?(?=\n)", section + "\n", re.MULTILINE)
    assert table
    return {name for row in table[0].splitlines() for name in re.findall("`(.+?)`", row.split("|")[1])}


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize(
    "command",
    [
        "python -m pip install -c constraints.txt . && capsaudit compare",
        "python -m pip install -c constraints.txt -e '.[dev]' && pytest",
    ],
)
def test_the_readme_has_the_commands_of_the_set_up(command: str) -> None:
    assert f"```console\n{command}\n```" in README


@pytest.mark.parametrize(
    ("heading", "struct"),
    [
        ("Variants", variant.Header),
        ("stated", variant.StatedTable),
        ("expected", variant.Expected),
        ("expected.layers", variant.ExpectedLayer),
        ("Spaces", spaces.SpaceFile),
        ("knobs", spaces.Knob),
        ("alternatives", spaces.Alternative),
        ("Claims of a source", claims.ClaimsFile),
        ("claims", claims.ClaimTable),
        ("check", claims.Test),
        ("Claims about a model", model_claims.ModelClaimsFile),
        ("claims about a model", model_claims.ModelClaimTable),
    ],
)
def test_every_key_of_a_file_is_documented(heading: str, struct: type[Struct]) -> None:
    assert first_column(page("reference/files.md"), heading) == {field.encode_name for field in fields(struct)}


def test_every_verdict_and_policy_is_in_the_glossary() -> None:
    glossary = page("reference/glossary.md")
    verdicts = {*get_args(Verdict), *get_args(RunVerdict)} | {
        value for each in get_args(ClaimVerdict) for value in get_args(each) or (each,)
    }
    in_tables = set(re.findall(r"^\| `(.+?)` \|", glossary.partition("## Evidence")[0], re.MULTILINE))
    assert in_tables == verdicts
    assert first_column(glossary, "Evidence") == set(get_args(Evidence))
    assert first_column(glossary, "Policies") == set(POLICIES)


def test_every_warning_is_in_the_guide() -> None:
    assert first_column(page("guides/maintainer.md"), "Count the model") == set(get_args(FindingKind))


def test_the_version_of_the_action_and_of_the_hook_is_the_present_one() -> None:
    versions = re.findall(r"(?:OWNER/capsaudit@|rev: )(\S+)", ALL)
    assert len(versions) == 4  # two in the README, two in the maintainer's guide
    assert set(versions) == {f"v{__version__}"}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.*")), ids=lambda path: path.name)
def test_every_example_is_used(path: Path) -> None:
    assert f"examples/{path.name}" in ALL


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if not link.startswith("https:")]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_pages_that_show_output_are_checked() -> None:
    assert {"README.md", "docs/guides/student.md", "docs/reference/commands.md"} <= set(pages_with_output())


def test_links_out_of_the_pages_lead_to_the_repository() -> None:
    text = "[a](../../variants/paper.toml), [b](student.md#x), [c](../../SECURITY.md#y), [d](https://example.org/a.md)"
    where, config = SimpleNamespace(src_uri="guides/reviewer.md"), SimpleNamespace(repo_url="https://example.org/r/")
    found = site.on_page_markdown(text, page=SimpleNamespace(file=where), config=config)
    assert found == (
        "[a](https://example.org/r/blob/main/variants/paper.toml), [b](student.md#x), "
        "[c](https://example.org/r/blob/main/SECURITY.md#y), [d](https://example.org/a.md)"
    )
