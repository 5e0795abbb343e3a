"""A result as cases that hold or not, for the formats that CI servers read."""

from __future__ import annotations

from functools import singledispatch
from typing import Literal

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.render.escaping import with_escapes
from capsaudit.render.reasons import because
from capsaudit.render.tables import setting
from capsaudit.render.tables.check import failure_sentence
from capsaudit.results import Audit, AuditedClaim, Audits, Check, Claims, JudgedClaim, Result

Level = Literal["error", "warning", "none"]


class Message(Struct, frozen=True):
    """A sentence about a part of a case: a layer, or nothing where it is about all of it. `line`: where that part is stated, if the case
    has lines of its own for its parts.
    """

    text: str
    about: str = ""
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.about}: {self.text}" if self.about else self.text


class Case(Struct, frozen=True, kw_only=True):
    """Something that was checked. `level`: `error` where it does not hold, `warning` for a finding, `none` where it holds.

    `file` and `line`: where it was stated.
    """

    suite: str
    name: str
    title: str
    level: Level
    messages: tuple[Message, ...]
    file: str | None = None
    line: int | None = None


def cases(result: Result) -> tuple[Case, ...]:
    """What was checked, each with what does not hold of it, safe to show.

    Raises:
        CapsauditError: the result contains no claims.
    """
    return _cases(with_escapes(result))


@singledispatch
def _cases(result: object) -> tuple[Case, ...]:
    raise CapsauditError(f"{type(result).__name__} contains no claims, so it has no cases for a CI server")


@_cases.register(Check)
def _check(result: Check) -> tuple[Case, ...]:
    failed = {name: [f for f in result.failures if f.variant == name] for name in result.variants}
    return tuple(
        Case(
            suite="capsaudit.check",
            name=name,
            title=f"capsaudit {name}",
            level="error" if failures else "none",
            messages=tuple(Message(failure_sentence(f), f.layer or "", f.line) for f in failures),
            file=failures[0].file if failures else None,
            line=failures[0].line if failures else None,
        )
        for name, failures in failed.items()
    )


@_cases.register(Claims)
def _claims(result: Claims) -> tuple[Case, ...]:
    return tuple(map(_claim, result.claims))


def _claim(claim: JudgedClaim) -> Case:
    return Case(
        suite=f"capsaudit.claims.{claim.source}",
        name=claim.id,
        title=f"capsaudit {claim.id}",
        level="none" if claim.verdict in ("agrees", "not checkable") else "error",
        messages=(Message(f"{claim.verdict}: {because(claim.reasons)}"),),
    )


@_cases.register(Audit)
def _audit(result: Audit) -> tuple[Case, ...]:
    """A case for each claim, one for the variant that the model is compared with, and one for each warning, also for properties."""
    found = [_audited_claim(result, claim) for claim in result.claims]
    if result.against is not None:
        found.append(_variant(result))
    return (*found, *_warnings(result), *_properties(result))


@_cases.register(Audits)
def _audits(result: Audits) -> tuple[Case, ...]:
    """The cases of all models, and one that fails for each fault."""
    faults = [
        Case(suite="capsaudit.audit", name=fault, title="capsaudit", level="error", messages=(Message(fault),))
        for fault in result.faults
    ]
    return (*(case for audit in result.audits for case in _audit(audit)), *faults)


def _audited_claim(result: Audit, claim: AuditedClaim) -> Case:
    name = claim.layer or "total"
    return Case(
        suite="capsaudit.audit",
        name=f"{result.target}: {name} = {claim.stated}",
        title=f"capsaudit {name}",
        level="none" if claim.verdict == "agrees" else "error",
        messages=(Message(f"stated {claim.stated} ({claim.source}); {because(claim.reasons)}"),),
        file=claim.file,
        line=claim.line,
    )


def _variant(result: Audit) -> Case:
    changed = ", ".join(
        f"{s.knob} {setting(s.before)} → {setting(s.after)} ({s.difference:+,})" for s in result.explanations
    )
    unexplained = f"; {result.unexplained:+,} not explained" if result.unexplained else ""
    more = f"; it has {', '.join(result.beyond)} besides" if result.beyond else ""
    differs = f"differs from {result.closest} by {result.difference:+,}: {changed or 'no knob'}{unexplained}{more}"
    its = Message(f"its tensors are those of {result.closest}" if result.has_its_tensors else differs)
    computed = _behaviour(result)
    return Case(
        suite="capsaudit.audit",
        name=f"{result.target} is {result.closest}",
        title="capsaudit",
        level="none" if result.is_variant else "error",
        messages=computed if computed and result.has_its_tensors else (its, *computed),
    )


def _behaviour(result: Audit) -> tuple[Message, ...]:
    """Each stage and each term of the loss that differs."""
    found = result.behaviour
    named = (
        [(row.stage, row) for row in found.stages] + [(f"{row.term} loss", row) for row in found.loss] if found else []
    )
    return tuple(
        Message(f"“{row.model}” in the model, “{row.reference}” in {result.closest}", name)
        for name, row in named
        if row.verdict == "differs"
    )


def _warnings(result: Audit) -> list[Case]:
    return [
        Case(
            suite="capsaudit.warnings",
            name=f"{finding.kind}: {finding.path}",
            title=f"capsaudit {finding.kind}",
            level="warning",
            messages=(Message(finding.message, finding.path),),
        )
        for finding in result.warnings
    ]


def _properties(result: Audit) -> list[Case]:
    """Those that do not hold: as warnings, because they decide nothing."""
    return [
        Case(
            suite="capsaudit.properties",
            name=result.target,
            title="capsaudit",
            level="warning",
            messages=(Message(f"does not hold: {each.because}", each.property),),
        )
        for each in (result.behaviour.properties if result.behaviour else ())
        if each.holds is False
    ]
