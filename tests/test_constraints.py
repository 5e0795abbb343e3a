"""constraints.txt pins everything that an installation for development brings, directly or not."""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PINS = [line for line in LINES if line and not line.startswith("#")]


def needed(requirement: str, extras: Iterable[str]) -> bool:
    marker = Requirement(requirement).marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def reached(requirements: Iterable[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """The names of what these requirements bring. What is not installed here cannot be followed further."""
    for each in map(Requirement, requirements):
        name, extras = canonicalize_name(each.name), frozenset(each.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        yield name
        try:
            further = requires(name) or []
        except PackageNotFoundError:
            continue
        yield from reached([text for text in further if needed(text, extras)], seen)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need other packages, such as colorama on Windows")
def test_everything_that_is_installed_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    direct = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    extras = project["project"]["optional-dependencies"]
    names = set(reached([*direct, *extras["dev"], *extras["docs"]], set()))
    assert {"torch", "sympy", "hatchling", "pytest", "mkdocs-material"} <= names
    accelerated = {name for name in names if re.match("nvidia|cuda|triton", name)}  # of torch's builds for GPUs
    assert names - accelerated <= {pin.partition("==")[0] for pin in PINS}


def test_every_line_pins_one_version() -> None:
    assert all(re.fullmatch(r"[a-z0-9-]+==\d[\w.]*", pin) for pin in PINS)
    names = [pin.partition("==")[0] for pin in PINS]
    assert names == [canonicalize_name(name) for name in names]
    assert len(names) == len(set(names))
