"""SARIF: valid, and at the line where a claim is made."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sarif_pydantic import Sarif

from capsaudit.inventory import Finding
from capsaudit.render.sarif import sarif
from capsaudit.results import Result
from tests.render.samples import audit, check, claims, explained_audit, failed_check, unknown_audit


def results(result: Result) -> list[dict[str, Any]]:
    (run,) = json.loads(sarif(result))["runs"]
    found: list[dict[str, Any]] = run["results"]
    return found


@pytest.mark.parametrize("sample", [audit, check, claims, explained_audit, failed_check, unknown_audit])
def test_the_log_is_valid(sample: Callable[[], Result]) -> None:
    log = Sarif.model_validate_json(sarif(sample()))
    assert log.version == "2.1.0"
    rules = {rule["id"] for rule in json.loads(sarif(sample()))["runs"][0]["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in results(sample())} <= rules


def test_only_what_does_not_hold_is_a_result() -> None:
    assert results(check()) == []
    (failed,) = results(failed_check())
    assert failed["level"] == "error"
    assert "expected 20,992, found 12,800" in failed["message"]["text"]


def test_a_result_is_at_the_line_of_its_claim() -> None:
    claim = msgspec.structs.replace(audit().claims[-1], file="a b/ü.toml", line=7)
    (found,) = results(msgspec.structs.replace(audit(), claims=(claim,), warnings=()))
    place = found["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/%C3%BC.toml"
    assert place["region"]["startLine"] == 7
    absolute = msgspec.structs.replace(claim, file="/a b.toml")
    (found,) = results(msgspec.structs.replace(audit(), claims=(absolute,), warnings=()))
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///a%20b.toml"


def test_a_claim_without_a_file_has_no_place() -> None:
    assert all("locations" not in found for found in results(claims()))


def test_warnings_are_results_of_their_own_rule() -> None:
    finding = Finding(kind="unused", path="a", message="is not used")
    (found,) = results(msgspec.structs.replace(unknown_audit(), warnings=(finding,)))
    assert (found["ruleId"], found["level"]) == ("warning", "warning")
