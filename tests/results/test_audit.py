"""The result of an audit."""

import msgspec
import pytest

from capsaudit.results.audit import Audit, Audits
from tests.render.samples import audit, explained_audit, unknown_audit


@pytest.mark.parametrize(("verdict", "agrees"), [("agrees", True), ("disagrees", False), ("unstated", True)])
def test_an_audit_agrees_by_its_verdict_alone(verdict: str, agrees: bool) -> None:
    changed: Audit = msgspec.structs.replace(audit(), verdict=verdict)
    assert changed.agrees is agrees


def test_several_audits_agree_where_each_does_and_none_is_missing() -> None:
    good, bad = (msgspec.structs.replace(audit(), verdict=verdict) for verdict in ("agrees", "disagrees"))
    assert Audits(audits=(good, good), faults=()).agrees
    assert not Audits(audits=(good, bad), faults=()).agrees
    assert not Audits(audits=(good,), faults=("net.py: file not found",)).agrees


def test_claims_decide_where_there_are_any_else_the_variant() -> None:
    assert (audit().verdict, explained_audit().verdict, unknown_audit().verdict) == (
        "disagrees",
        "disagrees",
        "unstated",
    )


def test_counts_are_those_of_its_tensors() -> None:
    for result in (audit(), explained_audit(), unknown_audit()):
        assert result.trainable == sum(tensor.count for tensor in result.tensors if tensor.trainable)
        assert result.buffers == sum(tensor.count for tensor in result.tensors if tensor.buffer)
        assert result.policies["stored"] == result.trainable + result.frozen
