"""The Python API: lazy, frozen, and at home in a notebook."""

import subprocess
import sys
from pathlib import Path

import pytest

import capsaudit


def test_every_name_is_there() -> None:
    for name in capsaudit.__all__:
        assert getattr(capsaudit, name) is not None
    assert set(capsaudit.__all__) <= set(dir(capsaudit))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'cuont'"):
        _ = capsaudit.cuont


def test_results_are_frozen() -> None:
    with pytest.raises(AttributeError):
        capsaudit.count("paper", witnesses=["formula"]).trainable = 0  # type: ignore[misc]


@pytest.mark.parametrize(
    "expression",
    [
        "capsaudit.variants()",
        "capsaudit.count('article', witnesses=['formula'])",
        "capsaudit.compare('paper', 'article', witnesses=['formula'])",
        "capsaudit.explain('article', 'multimnist')",
        "capsaudit.check('article', witnesses=['formula'])",
    ],
)
def test_notebooks_show_tables(expression: str) -> None:
    shown = eval(expression)._repr_html_()
    assert shown.startswith("<section>")
    assert "<script" not in shown


def test_what_a_notebook_shows_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "paper"\nsummary = "<script>alert(1)</script>"\n')
    shown = capsaudit.count(path, witnesses=["formula"])._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_importing_the_package_imports_nothing_slow() -> None:
    code = "import sys, capsaudit; print('torch' in sys.modules, 'rich' in sys.modules, 'msgspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False False\n"


def test_build_gives_a_working_module() -> None:
    torch = pytest.importorskip("torch")
    output = capsaudit.build("paper-no-decoder")(torch.rand(2, 1, 28, 28))
    assert output.scores.shape == (2, 10)
