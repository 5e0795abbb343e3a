"""What a witness counts."""

import pytest

from capsaudit.witnesses.counts import LayerCount, TensorCount, WitnessCount


def test_what_a_witness_does_not_report_is_none_and_not_zero() -> None:
    """A witness that knows of no buffers does not differ from one that does."""
    assert LayerCount().buffers is None
    assert (TensorCount(5).shape, TensorCount(5).trainable) == (None, None)
    assert (LayerCount().trainable, LayerCount().frozen, WitnessCount().trainable) == (0, 0, 0)


def test_counts_are_frozen() -> None:
    with pytest.raises(AttributeError):
        WitnessCount().trainable = 1  # type: ignore[misc]
