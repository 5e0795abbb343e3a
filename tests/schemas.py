"""The JSON Schemas that the package ships, one for each command. `python -m tests.schemas` writes them."""

import json
from pathlib import Path
from typing import Any

import capsaudit
from capsaudit import results
from capsaudit.atomic_write import write_atomically
from capsaudit.render.json import schemas
from capsaudit.render.tables import DOCUMENTS

FOLDER = Path(capsaudit.__file__).parent / "schemas"


def shipped_schemas() -> dict[str, dict[str, Any]]:
    """The schema of what each command prints as JSON, by the name of the command."""
    types = {name: getattr(results, name) for name in DOCUMENTS}
    made = schemas(types.values())
    return {_command(drawn): made[name] for name, drawn in DOCUMENTS.items()}


def files() -> dict[str, bytes]:
    """The file of each schema, by its name in `capsaudit/schemas`."""
    return {f"{name}.json": _text(schema).encode() for name, schema in shipped_schemas().items()}


def _command(drawn: str) -> str:
    """`train_smoke.train_smoke` is drawn for `train-smoke`."""
    return drawn.rpartition(".")[2].replace("_", "-")


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every file, and remove those of commands that are no more."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.json"):
        if path.name not in files():
            path.unlink()
    for name, content in files().items():
        write_atomically(FOLDER / name, content)


if __name__ == "__main__":
    write()
