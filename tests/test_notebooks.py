"""The notebooks of examples/ run, and their stored outputs are those that their cells give."""

from pathlib import Path

import pytest

from tests.notebooks import NOTEBOOKS, executed, stored

pytest.importorskip("nbclient", reason="the extra `docs` is not installed")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the packages that run notebooks
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_the_stored_outputs_are_those_of_the_cells(path: Path) -> None:
    assert executed(path)["cells"] == stored(path)["cells"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
