"""What a count says of itself follows from its verdicts."""

from typing import get_args

import msgspec
import pytest

from capsaudit.published import Verdict
from capsaudit.results.base import Reason
from capsaudit.results.count import Comparison, Count
from tests.render.samples import comparison, count

DIFFERS = Reason("witnesses differ", {"what": "conv1", "values": {"formula": 1, "torch": 2}})


def with_verdicts(total: Verdict, layer: Verdict) -> Count:
    result = count()
    layers = (msgspec.structs.replace(result.layers[0], verdict=layer), *result.layers[1:])
    return msgspec.structs.replace(result, verdict=total, layers=layers)


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_a_count_agrees_where_neither_the_total_nor_a_layer_does_otherwise(verdict: Verdict) -> None:
    agrees = verdict in ("agrees", "unstated")
    assert with_verdicts(verdict, "agrees").agrees == agrees
    assert with_verdicts("agrees", verdict).agrees == agrees


def test_disagreements_are_those_of_the_total_and_of_every_layer() -> None:
    result = count()
    layers = (msgspec.structs.replace(result.layers[0], disagreements=(DIFFERS,)), *result.layers[1:])
    other = Reason("unknown layer", {"layer": "fc9"})
    changed = msgspec.structs.replace(result, layers=layers, disagreements=(other,))
    assert changed.all_disagreements == (other, DIFFERS)
    assert result.all_disagreements == ()


def test_a_comparison_agrees_where_every_variant_does() -> None:
    found = comparison()
    assert found.agrees == all(each.agrees for each in found.variants)
    wrong: Comparison = msgspec.structs.replace(
        found, variants=(with_verdicts("agrees", "agrees"), with_verdicts("disagrees", "agrees"))
    )
    assert not wrong.agrees
    assert msgspec.structs.replace(found, variants=(with_verdicts("unstated", "agrees"),)).agrees
