"""Well-known networks are recognised as none of the families, as modules and from the tensors in their files alone."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import pytest
import torch

from capsaudit.catalogue import load_all
from capsaudit.commands.audit import audit
from capsaudit.inspection.module import inspect_module
from tests.recognition.test_bar import as_file
from tests.zoo.architectures import ARCHITECTURES

_NO_BUILD = (RuntimeError, OSError)
"""What packages with compiled parts raise where these do not fit the installed torch."""


def require(package: str) -> None:
    """Skip where the package is not installed, or torchvision, which the others import if it is there, does not load."""
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed; pip install -c constraints.txt -e '.[tests-zoo]'")
    try:
        if find_spec("torchvision"):
            import_module("torchvision")
    except _NO_BUILD as error:
        pytest.skip(f"this build of torchvision does not load beside torch {torch.__version__}: {error}")


def test_the_table_has_many_architectures() -> None:
    assert len(ARCHITECTURES) >= 40


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_other_network_is_called_one_of_the_families(name: str) -> None:
    architecture = ARCHITECTURES[name]
    if architecture.package != "torch":
        require(architecture.package)
    with torch.device("meta"):
        model = architecture.build()
    inventory = inspect_module(model, name)
    for each in (inventory, as_file(inventory)):
        result, match = audit(each, load_all())
        assert match is None
        assert (result.recognised, result.closest) == (None, None)
        assert result.trainable > 10_000
