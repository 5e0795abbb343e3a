"""All names are handed on from one place."""

from importlib import import_module
from pathlib import Path

import pytest

from capsaudit import results
from tests.results.frozen import structs_in

MODULES = sorted(path.stem for path in Path(results.__file__ or "").parent.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_every_struct_is_handed_on(name: str) -> None:
    for kind in structs_in(import_module(f"capsaudit.results.{name}")):
        assert getattr(results, kind.__name__) is kind
        assert kind.__name__ in results.__all__


def test_names_are_in_order_and_there() -> None:
    assert sorted(results.__all__) == sorted(set(results.__all__))
    assert all(hasattr(results, name) for name in results.__all__)
