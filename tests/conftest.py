"""What several tests share: the real MNIST files, where the environment says that they lie."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def mnist_folder() -> Path:
    """The folder with the real files; the test is skipped where CAPSAUDIT_MNIST does not name one."""
    named = os.environ.get("CAPSAUDIT_MNIST")
    if not named or not Path(named).is_dir():
        pytest.skip("CAPSAUDIT_MNIST names no folder with MNIST's IDX files")
    return Path(named)
