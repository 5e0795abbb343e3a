"""An assertion that the tests of all results share."""

from types import ModuleType

import pytest
from msgspec import Struct


def structs_in(module: ModuleType) -> list[type[Struct]]:
    """The structs that a module defines."""
    found = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Struct)]
    return [kind for kind in found if kind.__module__ == module.__name__]


def assert_frozen(value: Struct) -> None:
    """No field can be set, and no sequence in it changed, here or in any value within it."""
    for name in value.__struct_fields__:
        field = getattr(value, name)
        with pytest.raises(AttributeError):
            setattr(value, name, field)
        for item in field if isinstance(field, tuple) else (field,):
            if isinstance(item, Struct):
                assert_frozen(item)
