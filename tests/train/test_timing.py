"""What a run would cost."""

from capsaudit.data.digits import load_digits
from capsaudit.train.splits import splits
from capsaudit.train.timing import cost
from tests.train.test_splits import with_protocol


def test_costs_are_those_of_the_network() -> None:
    """The weights have 4 bytes each, twice with the best ones; Adam keeps two moments of each and a counter of its steps."""
    chosen = with_protocol("efficient-capsnet", batch_size=4)
    found = cost(chosen, splits(chosen, load_digits()))
    values, buffers, counters = 161_824, 576 * 4 + 4 * 8, 4 * 30
    assert abs(found.disk_bytes - 2 * (2 * (values * 4 + buffers) + 8 * values)) < 2 * counters + 100
    assert found.step_seconds > 0
    assert found.image_seconds > 0
    assert found.peak_memory_bytes > 10_000_000
