"""A network small enough to train in a second."""

from pathlib import Path

TINY = """
extends = "{parent}"
summary = "a network small enough to train in a second"
[image]
height = 16
width = 16
[conv1]
channels = 32
kernel = 5
[primary_caps]
types = 8
kernel = 3
[digit_caps]
dimension = 8
[decoder]
hidden = [32]
[sources]
image = "a test"
conv1 = "a test"
primary_caps = "a test"
digit_caps = "a test"
decoder = "a test"
"""


def write_tiny(folder: Path, parent: str) -> Path:
    """Its file, `tiny.toml`, which extends a shipped variant."""
    path = folder / "tiny.toml"
    path.write_text(TINY.format(parent=parent))
    return path
