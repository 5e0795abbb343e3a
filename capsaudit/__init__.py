"""capsaudit: count a network layer by layer, compare every published figure with it, and explain the difference.

The commands of the command line, for programs and notebooks; `capsaudit.api` lists all names:

>>> import capsaudit
>>> capsaudit.count("article", witnesses=["formula"]).trainable
8238608
>>> capsaudit.explain("article", "multimnist").difference
3123200
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from capsaudit._version import __version__ as __version__

if TYPE_CHECKING:
    from capsaudit.api import *  # noqa: F403


def __getattr__(name: str) -> object:
    """Import the API when a name of it is first used, so that `capsaudit --help` does not wait for it."""
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'capsaudit' has no attribute {name!r}")
    api = import_module("capsaudit.api")
    if name == "__all__" or name in api.__all__:
        return getattr(api, name)
    raise AttributeError(f"module 'capsaudit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*import_module("capsaudit.api").__all__, "__version__"]
