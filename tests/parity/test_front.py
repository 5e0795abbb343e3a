"""The ways to read W."""

import pytest
import torch

from capsaudit.parity.front import matrices_of, may
from capsaudit.parity.prepare import Sizes

SIZES = Sizes(capsules=6, dimension_in=2, classes=3, dimension=4)
W = torch.randn(6, 3, 2, 4)


@pytest.mark.parametrize(
    "stored",
    [
        W,
        W.permute(1, 0, 2, 3),
        W.transpose(2, 3).unsqueeze(0),
        W.permute(0, 2, 1, 3).reshape(6, 2, 12),
        W.permute(0, 2, 3, 1).reshape(6, 2, 12),
        W.reshape(2, 3, 3, 2, 4),
    ],
)
def test_every_order_of_axes_is_tried(stored: torch.Tensor) -> None:
    assert any(torch.equal(read, W) for read in matrices_of(stored, SIZES))


@pytest.mark.parametrize("shared", [W[:2], W[:1], W[0]])
def test_shared_matrices_are_repeated(shared: torch.Tensor) -> None:
    """By type, whichever of place and type comes first, or one for all."""
    count = len(shared) if shared.dim() == 4 else 1
    read = list(matrices_of(shared, SIZES))
    assert all(each.shape == W.shape for each in read)
    matrices = shared.reshape(count, 3, 2, 4)
    for order in ([n % count for n in range(6)], [n // (6 // count) for n in range(6)]):
        assert any(torch.equal(each, matrices[order]) for each in read)


def test_readings_of_other_gains_may_say_more() -> None:
    assert may({"softmax": "a"}, None)
    assert may({"softmax": "a"}, [{"softmax": "a", "agreement": "b"}])
    assert not may({"softmax": "a"}, [{"softmax": "b"}])
    assert not may({"softmax": "a"}, [])
