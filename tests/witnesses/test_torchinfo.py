"""The external witness: what torchinfo reports, and what it does not."""

from capsaudit.catalogue import load_variant
from capsaudit.witnesses.counts import TensorCount
from capsaudit.witnesses.torchinfo import count
from tests.expected import DIGIT_CAPS, PAIRS, PAPER


def test_tensors_are_read_off_what_it_prints() -> None:
    """It prints 1,474,560 with its commas; shapes and buffers it does not report."""
    counted = count(load_variant("paper").spec)
    assert counted.trainable == PAPER
    assert counted.layers["digit_caps"].tensors == {"weight": TensorCount(DIGIT_CAPS)}
    assert counted.layers["conv1"].tensors == {"weight": TensorCount(20_736), "bias": TensorCount(256)}
    assert all(layer.buffers is None for layer in counted.layers.values())


def test_frozen_values_are_known_by_layer_and_a_note_says_so() -> None:
    digit = count(load_variant("frozen-logits").spec).layers["digit_caps"]
    assert (digit.trainable, digit.frozen) == (DIGIT_CAPS, PAIRS)
    (note,) = digit.notes
    assert note.startswith("torchinfo reports 11,520 frozen values")
    assert count(load_variant("paper").spec).layers["digit_caps"].notes == ()


def test_layers_without_parameters_are_not_rows() -> None:
    assert set(count(load_variant("paper").spec).layers) == {"conv1", "primary_caps", "digit_caps", "fc1", "fc2", "fc3"}
