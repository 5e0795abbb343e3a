"""The ledger as a document."""

import pytest

from capsaudit.catalogue import load_variant
from capsaudit.commands.explain import explain as ledger
from capsaudit.render.document import Waterfall
from capsaudit.render.tables.explain import explain, order_sentence
from tests.render import samples
from tests.render.grids import column, raw


def test_steps_add_up_from_one_total_to_the_other() -> None:
    table = explain(samples.ledger()).table("steps")
    start, *steps, end = raw(table)
    running = start[3]
    assert running == 8_238_608
    for step in steps:
        running = int(str(running)) + int(str(step[2]))
        assert step[3] == running
    assert (end[2], end[3]) == (3_123_200, 11_361_808)
    assert column(table, "difference") == ["", "−11,520", "−11,520", "+3,146,240", "+3,123,200"]
    assert table.rules == (1, 4)


def test_differences_by_layer() -> None:
    assert column(explain(samples.ledger()).table("steps"), "by layer")[3] == "digit_caps +2,621,440, fc3 +524,800"
    same = explain(ledger(load_variant("paper"), load_variant("paper", settings=["digit_caps.iterations=1"])))
    assert column(same.table("steps"), "by layer")[1] == "no layer's count"


def test_each_step_is_a_bar_between_two_totals() -> None:
    (waterfall,) = [part for part in explain(samples.ledger()).parts if isinstance(part, Waterfall)]
    bars = [(bar.label, bar.start, bar.end, bar.tone) for bar in waterfall.bars]
    assert bars[0] == ("article", 0, 8_238_608, "total")
    assert bars[1] == ("digit_caps.logits", 8_238_608, 8_227_088, "fewer")
    assert bars[3] == ("image.size", 8_215_568, 11_361_808, "more")
    assert bars[4] == ("multimnist", 0, 11_361_808, "total")


def test_a_knob_that_interacts_with_earlier_ones_is_named() -> None:
    """At 36×36 the logits are 3200·10 in place of 1152·10, so alone the image makes 2·20,480 more: 3,187,200."""
    (sentence,) = [each for each in explain(samples.ledger()).sentences if each.startswith("image.size interacts")]
    assert "+3,187,200" in sentence
    assert 3_187_200 == 3_146_240 + 2 * (3200 - 1152) * 10


def test_the_order_of_knobs_is_said_where_there_are_steps() -> None:
    assert order_sentence(samples.ledger()) in explain(samples.ledger()).sentences
    assert "digit_caps, decoder, primary_caps, conv1, image, family" in order_sentence(samples.ledger())
    nothing = explain(ledger(load_variant("paper"), load_variant("paper")))
    assert (nothing.title, nothing.parts) == ("paper and paper have the same knobs: 8,215,568 trainable parameters", ())


@pytest.mark.parametrize("name", ["paper", "multimnist"])
def test_a_step_without_a_difference_has_no_direction(name: str) -> None:
    found = ledger(load_variant(name), load_variant(name, settings=["digit_caps.iterations=1"]))
    assert explain(found).table("steps").rows[1][2].tone == ""
