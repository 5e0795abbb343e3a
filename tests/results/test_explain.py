"""The ledger."""

from capsaudit.results.explain import Ledger, Step
from tests.render.samples import ledger
from tests.results.frozen import assert_frozen


def test_a_ledger_adds_up() -> None:
    found = ledger()
    assert found.difference == sum(step.difference for step in found.steps) == 3_123_200
    assert found.steps[-1].total == found.start_total + found.difference == 11_361_808


def test_the_layers_of_a_step_add_up_to_its_difference() -> None:
    assert all(sum(part.difference for part in step.layers) == step.difference for step in ledger().steps)


def test_fields_are_called_otherwise_in_json() -> None:
    """`from` is a word of Python's own."""
    names = dict(zip(Ledger.__struct_fields__, Ledger.__struct_encode_fields__, strict=True))
    assert (names["start"], names["end"], names["start_total"]) == ("from", "to", "from_total")
    steps = dict(zip(Step.__struct_fields__, Step.__struct_encode_fields__, strict=True))
    assert (steps["before"], steps["after"]) == ("from", "to")


def test_a_ledger_is_frozen() -> None:
    assert_frozen(ledger())
