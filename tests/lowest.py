"""The lowest versions that pyproject.toml allows, as constraints for pip: `python -m tests.lowest > lowest.txt`."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def lowest() -> Iterator[str]:
    """One line for each requirement, those of the extra `dev` too. Each must name its lowest version."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    for requirement in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        bound = re.fullmatch(r"([\w-]+)>=([\d.]+)(,<[\d.]+)?", requirement)
        if bound is None:
            raise SystemExit(f"{PYPROJECT}: {requirement!r} names no lowest version; expected name>=version")
        yield f"{bound[1]}=={bound[2]}"


if __name__ == "__main__":
    print("\n".join(lowest()))
