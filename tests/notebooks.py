"""Run the notebooks of examples/ and write what they show into them: `python -m tests.notebooks`. Needs the extra `docs`."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def stored(path: Path) -> Any:
    """A notebook as it is on disk."""
    return json.loads(path.read_text(encoding="utf-8"))


def executed(path: Path) -> Any:
    """The same notebook with the outputs that its cells have now. A cell that raises is an error, nbclient's CellExecutionError."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    client = NotebookClient(notebook, timeout=120, record_timing=False, resources={"metadata": {"path": ROOT}})
    ran = json.loads(nbformat.writes(client.execute()))
    return ran | {"metadata": stored(path)["metadata"]}  # the kernel's version is no part of the notebook


if __name__ == "__main__":
    for each in NOTEBOOKS:
        text = json.dumps(executed(each), indent=1, ensure_ascii=False)
        each.write_text(f"{text}\n", encoding="utf-8")
