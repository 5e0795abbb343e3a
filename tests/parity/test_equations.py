"""What several families compute, as the formulas say, by hand."""

import math

import pytest
import torch

from capsaudit.parity.equations import LAYOUTS, OUTPUTS, exponential_squash, squash, squashes_of

LENGTH_5 = torch.tensor([3.0, -4.0], dtype=torch.float64)


def test_layouts() -> None:
    """Four channels of 1×2 pixels, two by two: channel 0 has the values 0 and 1, channel 1 has 2 and 3, …"""
    grid = torch.arange(8).reshape(4, 1, 2)
    firsts = {name: cut(grid, 2)[0].tolist() for name, cut in LAYOUTS.items()}
    assert firsts == {
        "channels of one place": [0, 2],
        "channels of one place, taken at equal distances": [0, 4],
        "neighbouring pixels of one channel": [0, 1],
        "values at equal distances in channels-last memory": [0, 1],
    }


def test_outputs() -> None:
    capsules = torch.stack([LENGTH_5, LENGTH_5 / 5])
    assert torch.allclose(OUTPUTS["lengths"](capsules), torch.tensor([5.0, 1.0], dtype=torch.float64))
    assert torch.allclose(OUTPUTS["squared lengths"](capsules), torch.tensor([25.0, 1.0], dtype=torch.float64))
    assert OUTPUTS["softmax of the lengths"](capsules)[0].item() == pytest.approx(1 / (1 + math.exp(-4)))


def test_squashes_over_a_wrong_axis() -> None:
    """Of two classes, (3, 0) and (4, 0): over the classes the vector (3, 4), of length 5; element by element, each by itself."""
    s = torch.tensor([[[3.0, 0.0], [4.0, 0.0]]])
    made = squashes_of(2, {"eq. 1": squash, "other": exponential_squash}, ("eq. 1",))
    assert list(made) == ["eq. 1", "other", "eq. 1, over the 2 classes", "eq. 1, element by element"]
    assert torch.allclose(made["eq. 1, over the 2 classes"](s), s * 5 / 26)
    assert made["eq. 1, element by element"](s).flatten().tolist() == pytest.approx([9 / 10, 0, 16 / 17, 0])
