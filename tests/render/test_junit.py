"""JUnit XML: counts that add up, and texts that XML can hold."""

from xml.etree import ElementTree as ET

import msgspec

from capsaudit.inventory import Finding
from capsaudit.render.junit import junit
from tests.render.samples import audit, check, claims, failed_check, unknown_audit


def test_a_test_case_for_each_claim_and_a_failure_where_it_is_wrong() -> None:
    root = ET.fromstring(junit(claims()))
    cases = list(root.iter("testcase"))
    failures = list(root.iter("failure"))
    assert len(cases) == len(claims().claims)
    assert root.get("tests") == str(len(cases))
    assert root.get("failures") == str(len(failures))
    assert len(failures) == sum(claim.verdict not in ("agrees", "not checkable") for claim in claims().claims)
    assert {suite.get("name") for suite in root.iter("testsuite")} == {"capsaudit claims"}


def test_a_check_that_agrees_has_no_failures() -> None:
    root = ET.fromstring(junit(check()))
    assert (root.get("tests"), root.get("failures")) == ("2", "0")
    assert [case.get("name") for case in root.iter("testcase")] == ["paper", "article"]


def test_every_failed_statement_is_in_the_text_of_the_failure() -> None:
    (failure,) = ET.fromstring(junit(failed_check())).iter("failure")
    assert len((failure.text or "").splitlines()) == len(failed_check().failures)
    assert failure.get("message") == (failure.text or "").splitlines()[0]


def test_claims_about_a_model_say_where_they_are_made() -> None:
    first = next(ET.fromstring(junit(audit())).iter("testcase"))
    assert (first.get("file") or "").endswith("capsnets.claims.toml")
    assert first.get("line") == str(audit().claims[0].line)


def test_warnings_are_no_test_cases() -> None:
    finding = Finding(kind="unused", path="a", message="is not used")
    root = ET.fromstring(junit(msgspec.structs.replace(unknown_audit(), warnings=(finding,))))
    assert root.get("tests") == "0"
    assert root.findtext(".//system-err") == "a: is not used"


def test_what_xml_cannot_hold_is_escaped() -> None:
    finding = Finding(kind="unused", path="a", message="<b> & \x1b[31m \x00")
    text = junit(msgspec.structs.replace(unknown_audit(), warnings=(finding,)))
    assert ET.fromstring(text).findtext(".//system-err") == r"a: <b> & \x1b[31m \x00"


def test_control_characters_are_escaped_wherever_they_are() -> None:
    """In the names of files, targets and sources, in attributes and in texts; a lone surrogate as well."""
    odd = "a\x1bb\x00c\ufffe\udcff"
    claim = msgspec.structs.replace(audit().claims[0], source=odd, file=odd, layer=odd, verdict="disagrees")
    text = junit(msgspec.structs.replace(audit(), target=odd, claims=(claim,)))
    text.encode()
    case = next(ET.fromstring(text).iter("testcase"))
    assert case.get("file") == r"a\x1bb\x00c\ufffe\udcff"
    assert r"a\x1bb" in (case.get("name") or "")
    judged = msgspec.structs.replace(claims().claims[0], source=odd)
    case = next(ET.fromstring(junit(msgspec.structs.replace(claims(), claims=(judged,)))).iter("testcase"))
    assert case.get("classname") == r"capsaudit.claims.a\x1bb\x00c\ufffe\udcff"
