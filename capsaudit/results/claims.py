"""What `claims` returns."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from capsaudit.published import Verdict
from capsaudit.results.base import Reason, Result

ClaimVerdict = Verdict | Literal["misattributed", "contradicted", "outdated", "not checkable"]
Grade = Literal["seen", "quoted", "recalled"]


class JudgedClaim(Struct, frozen=True, kw_only=True):
    """A claim of a source with its verdict.

    `exact`: what the network it is about comes to. `also`: other interpretations that the same figure agrees with, so that it is no proof.
    `true_of`: the variants that a figure is true of, the plainest ones where it is not true of the one it is about. `version`: of the source,
    where it is known. `grade`: how it is known that the source states this; `evidence` has the details.
    """

    id: str
    source: str
    place: str
    version: str | None
    grade: Grade | None
    evidence: str | None
    statement: str | None
    stated: str | None
    about: str
    layer: str | None
    verdict: ClaimVerdict
    exact: int | None
    also: tuple[str, ...]
    true_of: tuple[str, ...]
    reasons: tuple[Reason, ...]


class Claims(Result, frozen=True, kw_only=True):
    """The claims of several sources with their verdicts."""

    claims: tuple[JudgedClaim, ...]

    @property
    def agrees(self) -> bool:
        """No claim is shown to be wrong."""
        return all(claim.verdict in ("agrees", "not checkable") for claim in self.claims)
