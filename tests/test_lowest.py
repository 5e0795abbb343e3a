"""The lowest versions of what the project requires."""

from pathlib import Path

import pytest

from tests import lowest

PROJECT = '[project]\ndependencies = [{0}]\noptional-dependencies.dev = ["pytest>=8.3"]\n'


def lines(folder: Path, monkeypatch: pytest.MonkeyPatch, dependencies: str) -> list[str]:
    path = folder / "pyproject.toml"
    path.write_text(PROJECT.format(dependencies))
    monkeypatch.setattr(lowest, "PYPROJECT", path)
    return list(lowest.lowest())


def test_the_lowest_version_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lines(tmp_path, monkeypatch, '"torch>=2.10", "typer>=0.20,<0.29"')
    assert found == ["torch==2.10", "typer==0.20", "pytest==8.3"]


@pytest.mark.parametrize("requirement", ["torch", "torch==2.10", "torch<3", "torch>2.10"])
def test_a_requirement_without_one(requirement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=f"'{requirement}' names no lowest version"):
        lines(tmp_path, monkeypatch, f'"{requirement}"')


def test_every_requirement_of_the_project_has_one() -> None:
    assert "torchinfo==1.8" in list(lowest.lowest())
