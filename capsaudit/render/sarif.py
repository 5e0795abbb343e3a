"""Cases as SARIF 2.1.0, which code-scanning services read: a result for each case that does not hold, and for each warning."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from capsaudit._version import __version__
from capsaudit.render.cases import Case, cases
from capsaudit.render.json import indented
from capsaudit.results import Result

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULES = {
    "claim": "What is stated of a model must agree with what it has and computes",
    "warning": "A finding that a parameter count does not show",
}


def sarif(result: Result) -> str:
    """The log, indented. Results are at the line where the claim is made."""
    found = [case for case in cases(result) if case.level != "none"]
    driver = {
        "name": "capsaudit",
        "version": __version__,
        "rules": [{"id": name, "shortDescription": {"text": text}} for name, text in _RULES.items()],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [_result(case) for case in found]}
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return indented(log)


def _result(case: Case) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": "claim" if case.level == "error" else "warning",
        "level": case.level,
        "message": {"text": f"{case.name}: {'; '.join(map(str, case.messages))}"},
    }
    if case.file:
        place = {"artifactLocation": {"uri": _uri(case.file)}, "region": {"startLine": case.line or 1}}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _uri(path: str) -> str:
    """A path as a URI: relative ones stay relative to the repository."""
    from urllib.parse import quote

    return PurePath(path).as_uri() if PurePath(path).is_absolute() else quote(PurePath(path).as_posix())
