"""JSON: fields under the names of the contract, and beside every reason its sentence."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from capsaudit import results
from capsaudit.inventory import Finding
from capsaudit.render.json import as_json, schemas
from capsaudit.render.reasons import because, sentence
from capsaudit.results.base import SCHEMA
from tests.render.samples import SAMPLES, claims, count, ledger, reconciliation, runs, unknown_audit


@pytest.mark.parametrize("name", SAMPLES)
def test_every_document_is_valid_by_its_schema(name: str) -> None:
    result = SAMPLES[name]()
    document = json.loads(as_json(result))
    schema = schemas([type(result)])[type(result).__name__]
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)
    assert document["schema"] == SCHEMA == 2
    with pytest.raises(Exception, match="Additional properties are not allowed"):
        Draft202012Validator(schema).validate(document | {"other": 1})


def test_fields_have_the_names_of_the_contract() -> None:
    explained = json.loads(as_json(ledger()))
    assert (explained["from"], explained["to"]) == ("article", "multimnist")
    assert {"from", "to", "knob", "difference", "total"} <= explained["steps"][0].keys()
    searched = json.loads(as_json(reconciliation()))
    assert searched["from"] == "paper"
    assert {"from", "to"} <= searched["explanations"][0]["changes"][0].keys()


def test_numbers_are_numbers_and_shapes_lists() -> None:
    document = json.loads(as_json(count()))
    assert document["trainable"] == 8_238_608
    assert document["layers"][0]["parameters"][0] == {
        "name": "weight",
        "shape": [256, 1, 9, 9],
        "count": 20_736,
        "trainable": True,
    }


def test_a_reason_has_its_sentence_and_what_has_reasons_has_them_in_one_text() -> None:
    (document,) = [c for c in json.loads(as_json(claims()))["claims"] if c["id"] == "article-official-figure"]
    (claim,) = [c for c in claims().claims if c.id == "article-official-figure"]
    assert document["because"] == because(claim.reasons)
    assert [each["message"] for each in document["reasons"]] == [sentence(why) for why in claim.reasons]
    assert [each["code"] for each in document["reasons"]] == [why.code for why in claim.reasons]


def test_the_sentence_of_a_run_is_there_too() -> None:
    assert json.loads(as_json(runs()))["runs"][1]["because"] == because(runs().runs[1].reasons)


def test_schemas_close_what_they_describe() -> None:
    """A document has every field and no other."""

    def closed(schema: dict[str, Any]) -> bool:
        objects = schema["$defs"].values()
        return all(
            each["additionalProperties"] is False and set(each["required"]) == set(each["properties"])
            for each in objects
        )

    made = schemas([results.Count, results.Claims])
    assert made.keys() == {"Count", "Claims"}
    assert all(map(closed, made.values()))
    assert made["Claims"]["$defs"]["Reason"]["properties"]["message"] == {"type": "string"}
    assert "because" in made["Claims"]["$defs"]["JudgedClaim"]["required"]


def test_texts_are_written_as_they_are() -> None:
    assert "(9·9·1 + 1)·256" in as_json(count())


def test_what_utf8_cannot_hold_is_escaped() -> None:
    """Names of a model's tensors and of files may contain lone surrogates."""
    finding = Finding(kind="unused", path="a\udcff", message="is not used")
    found = json.loads(as_json(msgspec.structs.replace(unknown_audit(), target="b\udcff", warnings=(finding,))))
    assert (found["target"], found["warnings"][0]["path"]) == (r"b\udcff", r"a\udcff")
