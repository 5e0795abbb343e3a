"""The witness that counts by formulas."""

from capsaudit.catalogue import load_variant
from capsaudit.witnesses.counts import LayerCount, TensorCount
from capsaudit.witnesses.formula import count
from tests.expected import CONV1, DIGIT_CAPS, PAIRS, PAPER


def test_layers_tensors_and_totals_of_the_paper() -> None:
    counted = count(load_variant("paper").spec)
    assert (counted.trainable, counted.frozen) == (PAPER, 0)
    assert counted.layers["conv1"] == LayerCount(
        trainable=CONV1,
        frozen=0,
        tensors={"weight": TensorCount(20_736, (256, 1, 9, 9), True), "bias": TensorCount(256, (256,), True)},
        buffers={},
    )


def test_frozen_values_are_counted_apart() -> None:
    counted = count(load_variant("frozen-logits").spec)
    assert (counted.trainable, counted.frozen) == (PAPER, PAIRS)
    digit = counted.layers["digit_caps"]
    assert (digit.trainable, digit.frozen) == (DIGIT_CAPS, PAIRS)
    assert digit.tensors["logits"] == TensorCount(PAIRS, (1152, 10), False)
