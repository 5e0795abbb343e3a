"""What pyproject.toml says about capsaudit."""

from pathlib import Path

import pytest

from capsaudit.catalogue.project import project_targets
from capsaudit.errors import CapsauditError


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_targets_in_order() -> None:
    Path("pyproject.toml").write_text(
        '[project]\nname = "x"\n[tool.capsaudit]\ntargets = ["b.claims.toml", "a.py:A"]\n'
    )
    assert project_targets() == ("b.claims.toml", "a.py:A")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no TARGET and no pyproject.toml here; name a target, or write targets = "),
        ("", r"pyproject.toml has no \[tool.capsaudit\]; write targets = "),
        ("tool = 1", r"pyproject.toml has no \[tool.capsaudit\]"),
        ("[tool]\ncapsaudit = 1", "pyproject.toml: tool.capsaudit is 1; expected a table with targets"),
        ("[tool.capsaudit]", "pyproject.toml: tool.capsaudit.targets is missing"),
        ("[tool.capsaudit]\ntargets = []", "tool.capsaudit.targets is empty"),
        ("[tool.capsaudit]\ntargets = 'a'", 'tool.capsaudit.targets is "a"; expected a list'),
        ("[tool.capsaudit]\ntarget = ['a']", "tool.capsaudit.target is unknown; did you mean 'targets'?"),
        ("[tool", "pyproject.toml: is not TOML"),
    ],
)
def test_what_names_no_target_says_how_to_name_one(text: str | None, message: str) -> None:
    if text is not None:
        Path("pyproject.toml").write_text(text)
    with pytest.raises(CapsauditError, match=message):
        project_targets()
