"""Somebody's model as a document."""

from collections.abc import Callable
from typing import Literal

import msgspec
import pytest

from capsaudit.inventory import Behaviour
from capsaudit.render.tables.audit import audit, audits
from capsaudit.results import Audit, AuditedLayer, Audits
from tests.render import samples
from tests.render.grids import column, names, raw, rows


@pytest.mark.parametrize("sample", [samples.audit, samples.explained_audit, samples.unknown_audit])
def test_layers_add_up_to_the_total_that_is_shown(sample: Callable[[], Audit]) -> None:
    result = sample()
    table = audit(result).table("layers")
    *layers, total = raw(table)
    assert sum(int(str(row[1])) for row in layers) == total[1] == result.trainable


def test_beside_each_layer_stands_that_of_the_closest_variant() -> None:
    """161·522 = 84,042 in place of 161·512 = 82,432."""
    table = audit(samples.explained_audit()).table("layers")
    found = {row[0]: row for row in rows(table)}
    assert names(table)[:4] == ["layer", "trainable", "paper", "difference"]
    assert found["fc1"][1:4] == ["84,042", "82,432", "+1,610"]
    assert found["total"][1:4] == ["8,426,082", "8,215,568", "+210,514"]


def test_a_model_that_matches_nothing_is_not_compared() -> None:
    shown = audit(samples.unknown_audit())
    assert shown.title == "SmallClassifier: 27,098 trainable"
    assert names(shown.table("layers")) == ["layer", "trainable", "buffers", "tensors"]


def test_the_title_says_what_the_model_is_or_how_far_it_is_from_it() -> None:
    assert audit(samples.audit()).title.endswith("8,227,088 trainable: its tensors are those of trainable-logits")
    assert audit(samples.explained_audit()).title.endswith("closest to paper (8,215,568), +210,514")


def test_differences_are_the_knobs_that_lead_to_the_model() -> None:
    assert rows(audit(samples.explained_audit()).table("differences")) == [
        ["decoder.hidden", "512, 1,024 → 522, 1,176", "+210,514"]
    ]
    unexplained = msgspec.structs.replace(samples.explained_audit(), unexplained=42)
    assert "Not explained by any knob: +42." in audit(unexplained).sentences


def test_what_the_model_has_beyond_the_variant_is_a_line_for_each_layer() -> None:
    result = samples.explained_audit()
    more = [
        msgspec.structs.replace(layer("norm", 512), kind="BatchNorm2d", buffers=513),
        msgspec.structs.replace(layer("fc1", 0), frozen=3, buffers=1200),
        layer("", 7),
        layer("none", 0),
    ]
    changed = msgspec.structs.replace(result, layers=(*result.layers, *more), beyond=("norm", "fc1", "", "none"))
    assert [each for each in audit(changed).sentences if "not in" in each] == [
        "norm: BatchNorm2d, not in paper, +512, +513 in buffers",
        "fc1: not in paper, +3 frozen, +1,200 in buffers",
        "(the model itself): not in paper, +7",
        "none: not in paper, no values of its own",
    ]
    assert not any("not in" in each for each in audit(result).sentences)


def test_the_kind_of_a_layer_is_the_class_of_its_module() -> None:
    assert {row.name: row.kind for row in samples.unknown_audit().layers} == {
        "body.0": "Conv2d",
        "body.1": "BatchNorm2d",
        "head": "Linear",
    }


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (31_312_345, "31.3 MB"), (2_500_000_000, "2.5 GB")],
)
def test_bytes_are_shown_in_units_of_a_thousand(count: int, shown: str) -> None:
    assert f"{shown} in total." in audit(msgspec.structs.replace(samples.unknown_audit(), bytes=count)).sentences


def test_a_model_with_a_buffer_more_does_not_have_the_tensors_of_the_variant() -> None:
    result = samples.audit()
    more = msgspec.structs.replace(layer("mask", 0), buffers=4)
    changed = msgspec.structs.replace(result, layers=(*result.layers, more), beyond=("mask",))
    assert audit(changed).title.endswith("its tensors are those of trainable-logits, and more")


def test_claims_have_their_verdict_and_its_reason() -> None:
    table = audit(samples.audit()).table("claims")
    assert column(table, "verdict") == ["agrees", "agrees", "agrees", "disagrees", "disagrees"]
    assert column(table, "layer")[0] == "total"
    assert "1,474,560" in column(table, "because")[3]


def test_policies_that_make_a_difference_are_said() -> None:
    assert not any("by policy" in each for each in audit(samples.audit()).sentences)
    result = msgspec.structs.replace(samples.audit(), policies={"stored": 10_000, "nonzero": 9_000})
    assert "All parameters by policy: stored 10,000 · nonzero 9,000. Used here: stored." in audit(result).sentences


def test_tensors_are_listed_where_that_is_asked_for() -> None:
    result = samples.unknown_audit()
    with pytest.raises(StopIteration):
        audit(result).table("tensors")
    listed = msgspec.structs.replace(result, lists_tensors=True)
    assert column(audit(listed).table("tensors"), "kind").count("buffer") == 3


def test_programs_get_the_claims_or_else_the_tensors() -> None:
    assert audit(samples.unknown_audit()).main_table.name == "tensors"
    claimed = samples.audit()
    rows = raw(audit(claimed).main_table)
    assert [(row[1], row[5], row[6]) for row in rows] == [
        (c.layer or "total", c.found, c.verdict) for c in claimed.claims
    ]
    assert audit(msgspec.structs.replace(claimed, lists_tensors=True)).main_table.name == "tensors"


def test_several_models_are_one_document_after_another() -> None:
    shown = audits(Audits(audits=(samples.audit(), samples.unknown_audit()), faults=("x.py:Net: no file",)))
    assert shown.title == "2 models: 1 disagrees, 1 unstated; 1 fault"
    titles = [audit(samples.audit()).title, audit(samples.unknown_audit()).title]
    assert [each for each in shown.sentences if each in titles] == titles
    assert shown.sentences[-1] == "x.py:Net: no file"
    assert len(shown.main_table.rows) == len(samples.audit().claims)


def test_the_same_tensor_under_another_name_says_so() -> None:
    tied = msgspec.structs.replace(samples.unknown_audit().tensors[0], same_as="body.0.weight", note="tied")
    result = msgspec.structs.replace(samples.unknown_audit(), tensors=(tied,), lists_tensors=True)
    assert column(audit(result).table("tensors"), "note") == ["same as body.0.weight, tied"]


def layer(name: str, trainable: int) -> AuditedLayer:
    return AuditedLayer(
        name=name,
        kind="",
        tensors=(f"{name}.weight",),
        trainable=trainable,
        frozen=0,
        buffers=0,
        expected=None,
        difference=None,
    )


def test_layers_of_a_large_model_are_grouped_by_where_they_are() -> None:
    """Twelve different blocks of ten layers are twelve groups; no value is lost."""
    layers = tuple(layer(f"block.{block}.{n}", 10 * block + n) for block in range(12) for n in range(10))
    result = msgspec.structs.replace(samples.unknown_audit(), layers=layers)
    table = audit(result).table("layers")
    assert column(table, "layer") == [*(f"block.{n}.*" for n in range(12)), "total"]
    assert column(table, "trainable")[:-1] == [
        f"{100 * block + 45:,}" for block in range(12)
    ]  # 10·10·block + 0 + … + 9


def test_of_very_many_layers_the_smallest_are_one_row() -> None:
    layers = tuple(layer(f"layer{n}", n) for n in range(1, 101))
    result = msgspec.structs.replace(samples.unknown_audit(), layers=layers)
    table = audit(result).table("layers")
    *shown, rest, _ = raw(table)
    assert len(shown) == 60
    assert rest[0] == "40 smaller layers"
    assert sum(int(str(row[1])) for row in (*shown, rest)) == 5050  # 1 + … + 100


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_run_in_float32_is_said_to_be_one(precision: Literal["float32", "float64"]) -> None:
    found = Behaviour(verdict="agrees", reference="paper", stages=(), because="", precision=precision)
    shown = audit(msgspec.structs.replace(samples.audit(), behaviour=found)).sentences
    assert ("The model does not run in float64; it was run in float32." in shown) == (precision == "float32")
