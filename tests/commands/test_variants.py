"""variants: the list of what is shipped."""

import json

from capsaudit import api
from capsaudit.catalogue import load_all, shipped
from tests.expected import TOTALS
from tests.processes import invoke, run


def test_every_shipped_variant_is_listed_with_its_total() -> None:
    listed = json.loads(run("variants", "--format", "json").stdout)
    assert {v["id"] for v in listed["variants"]} == set(shipped())
    assert {v["id"]: v["trainable"] for v in listed["variants"]} == TOTALS


def test_the_list_is_in_the_order_of_the_catalogue() -> None:
    assert [v.id for v in api.variants().variants] == [variant.id for variant in load_all()]


def test_what_a_variant_changes_in_its_parent() -> None:
    """multimnist extends paper at 36×36; paper extends nothing."""
    by_id = {v.id: v for v in api.variants().variants}
    assert (by_id["multimnist"].extends, by_id["multimnist"].changes) == ("paper", ("image.size = 36",))
    assert (by_id["paper"].extends, by_id["paper"].changes) == (None, ())
    assert by_id["article"].changes == ("digit_caps.logits = trainable", "digit_caps.coupling = trainable")


def test_the_table_names_each_variant_and_figure() -> None:
    printed = invoke("variants", columns=200).stdout
    for variant in load_all():
        row = next(line for line in printed.splitlines() if line.split()[:1] == [variant.id])
        assert f"{TOTALS[variant.id]:,}" in row
