"""Results as cases: what was checked, each with what does not hold of it."""

import msgspec
import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inventory import Finding
from capsaudit.render.cases import Message, cases
from tests.render.samples import audit, audits, check, claims, count, explained_audit, failed_check, unknown_audit


def test_a_check_has_a_case_for_each_variant() -> None:
    found = cases(check())
    assert [(case.suite, case.name, case.level, case.messages) for case in found] == [
        ("capsaudit.check", "paper", "none", ()),
        ("capsaudit.check", "article", "none", ()),
    ]


def test_a_failed_check_says_what_was_expected_and_what_was_found() -> None:
    (case,) = cases(failed_check())
    assert (case.name, case.level) == ("wrong", "error")
    assert len(case.messages) == len(failed_check().failures)
    about = {message.about: message.text for message in case.messages}
    assert "output shape" in about["conv1"] or "trainable" in about["conv1"]
    assert any("expected 20,992, found 12,800" in message.text for message in case.messages)


def test_claims_are_errors_where_they_are_shown_to_be_wrong() -> None:
    levels = {case.name: case.level for case in cases(claims())}
    for claim in claims().claims:
        assert (levels[claim.id] == "none") == (claim.verdict in ("agrees", "not checkable"))
    (official,) = [case for case in cases(claims()) if case.name == "article-official-figure"]
    assert official.level == "error"
    assert official.messages[0].text.startswith("misattributed: ")
    assert "multimnist" in official.messages[0].text


def test_an_audit_has_a_case_for_each_claim_with_its_place() -> None:
    found = [case for case in cases(audit()) if case.suite == "capsaudit.audit"]
    assert [case.level for case in found] == ["none", "none", "none", "error", "error"]
    assert found[0].file is not None
    assert found[0].file.endswith("capsnets.claims.toml")
    assert found[0].line == audit().claims[0].line > 1
    assert found[1].name.endswith(": W = 1.47M")


def test_without_claims_the_case_is_the_variant() -> None:
    case, *warnings = cases(explained_audit())
    assert {each.level for each in warnings} == {"warning"}
    assert case.name == "OtherWidths is paper"
    assert case.level == "error"
    assert "decoder.hidden 512, 1,024 → 522, 1,176" in case.messages[0].text
    # 161·522 + 523·1176 + 1177·784 − (161·512 + 513·1024 + 1025·784)
    assert "+210,514" in case.messages[0].text
    assert {each.level for each in cases(unknown_audit())} == {"warning"}


def test_warnings_are_cases_that_do_not_fail() -> None:
    finding = Finding(kind="unused", path="extra.weight", message="extra.weight is not used", count=35)
    warned = msgspec.structs.replace(unknown_audit(), warnings=(finding,))
    (case,) = cases(warned)
    assert (case.suite, case.name, case.level) == ("capsaudit.warnings", "unused: extra.weight", "warning")
    assert case.messages == (Message("extra.weight is not used", "extra.weight"),)


def test_several_models_have_the_cases_of_each_and_one_for_each_fault() -> None:
    found = cases(audits())
    assert found[:-1] == (*cases(audit()), *cases(unknown_audit()))
    assert (found[-1].level, str(found[-1].messages[0])) == ("error", "net.py:Net: nothing is stated about it")


def test_a_message_names_what_it_is_about() -> None:
    assert str(Message("is wrong", "conv1")) == "conv1: is wrong"
    assert str(Message("is wrong")) == "is wrong"


def test_a_result_without_claims_has_no_cases() -> None:
    with pytest.raises(CapsauditError, match="Count contains no claims"):
        cases(count())
