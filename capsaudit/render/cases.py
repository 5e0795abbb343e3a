"""A result as cases that hold or not, for the formats that CI servers read."""

from __future__ import annotations

from functools import singledispatch

from msgspec import Struct

from capsaudit.render.tables import setting
from capsaudit.results import AGREES, DISAGREES, UNSTATED, Audit, Check, Claims, Failure


class Said(Struct, frozen=True):
    """A sentence about a part of a case: a layer, or nothing where it is about all of it."""

    text: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.about}: {self.text}" if self.about else self.text


class Case(Struct, frozen=True, kw_only=True):
    """Something that was checked. `level`: `error` where it does not hold, `warning` where it is only odd, empty where it holds.

    `file` and `line`: where it was stated.
    """

    suite: str
    name: str
    title: str
    level: str
    messages: tuple[Said, ...]
    file: str | None = None
    line: int | None = None


@singledispatch
def cases(result: object) -> tuple[Case, ...]:
    """What was checked, each with what does not hold of it."""
    raise TypeError(f"{type(result).__name__} holds nothing that was checked")


@cases.register(Check)
def _check(result: Check) -> tuple[Case, ...]:
    failed = {name: [f for f in result.failures if f.variant == name] for name in result.variants}
    return tuple(
        Case(
            suite="capsaudit.check",
            name=name,
            title=f"capsaudit {name}",
            level="error" if failures else "",
            messages=tuple(Said(message(f), f.layer or "") for f in failures),
        )
        for name, failures in failed.items()
    )


@cases.register(Claims)
def _claims(result: Claims) -> tuple[Case, ...]:
    return tuple(
        Case(
            suite=f"capsaudit.claims.{claim.source}",
            name=claim.id,
            title=f"capsaudit {claim.id}",
            level="" if claim.verdict in (AGREES, "undecided") else "error",
            messages=(Said(f"{claim.verdict}: {claim.because}"),),
        )
        for claim in result.claims
    )


@cases.register(Audit)
def _audit(result: Audit) -> tuple[Case, ...]:
    """A case for each claim, or one for the variant that the model is held against; and one for each warning."""
    found = [
        Case(
            suite="capsaudit.audit",
            name=f"{result.target}: {claim.layer or 'total'} = {claim.stated}",
            title=f"capsaudit {claim.layer or 'total'}",
            level="" if claim.verdict == AGREES else "error",
            messages=(Said(f"stated {claim.stated} ({claim.source}), but {claim.because}"),),
            file=claim.file,
            line=claim.line,
        )
        for claim in result.claims
    ]
    if not found and result.verdict != UNSTATED:
        found.append(_variant(result))
    return (*found, *_warnings(result))


def _variant(result: Audit) -> Case:
    changed = ", ".join(
        f"{s.knob} {setting(s.before)} → {setting(s.after)} ({s.difference:+,})" for s in result.explanations
    )
    unexplained = f"; {result.unexplained:+,} not explained" if result.unexplained else ""
    told = f"differs from {result.closest} by {result.difference:+,}: {changed or 'no knob'}{unexplained}"
    return Case(
        suite="capsaudit.audit",
        name=f"{result.target} is {result.closest}",
        title="capsaudit",
        level="error" if result.verdict == DISAGREES else "",
        messages=(Said(told),),
    )


def _warnings(result: Audit) -> list[Case]:
    return [
        Case(
            suite="capsaudit.warnings",
            name=f"{finding.kind}: {finding.path}",
            title=f"capsaudit {finding.kind}",
            level="warning",
            messages=(Said(finding.message, finding.path),),
        )
        for finding in result.warnings
    ]


def message(failure: Failure) -> str:
    """A failed statement in one sentence."""
    return f"{failure.what}: expected {setting(failure.expected)}, found {setting(failure.found)}"
