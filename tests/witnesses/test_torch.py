"""The witness that counts the built module's own parameters."""

import pytest
from torch import nn

import capsaudit.witnesses.torch as witness
from capsaudit.catalogue import load_variant
from capsaudit.witnesses.counts import LayerCount, TensorCount
from capsaudit.witnesses.torch import count
from tests.expected import PAIRS, PAPER


def test_tensors_are_those_of_the_module() -> None:
    counted = count(load_variant("frozen-logits").spec)
    assert (counted.trainable, counted.frozen) == (PAPER, PAIRS)
    assert counted.layers["digit_caps"].tensors["logits"] == TensorCount(PAIRS, (1152, 10), False)
    assert counted.layers["fc1"].tensors["weight"] == TensorCount(512 * 160, (512, 160), True)


class Odd(nn.Module):
    """A layer of 3·2 + 2 = 8 that is there twice, and batch normalisation of 2: 2 + 2 trainable, 2 + 2 + 1 in buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 2, device="meta")
        self.again = self.first
        self.norm = nn.BatchNorm1d(2, device="meta")


def test_tied_tensors_count_once_and_buffers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "build", lambda *_, **__: Odd())
    counted = count(load_variant("paper").spec)
    assert (counted.trainable, counted.frozen) == (8 + 4, 0)
    assert counted.layers.keys() == {"first", "norm"}
    assert counted.layers["norm"].buffers == {"running_mean": 2, "running_var": 2, "num_batches_tracked": 1}
    assert counted.layers["first"] == LayerCount(
        trainable=8,
        tensors={"weight": TensorCount(6, (2, 3), True), "bias": TensorCount(2, (2,), True)},
        buffers={},
    )
