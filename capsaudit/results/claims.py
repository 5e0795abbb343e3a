"""What `claims` returns."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.results.base import AGREES, UNDECIDED, Result


class Claimed(Struct, frozen=True, kw_only=True):
    """A claim of a source, judged. `exact`: what the network it is about comes to. `true_of`: the variants it is true of."""

    id: str
    source: str
    place: str
    evidence: str | None
    statement: str | None
    stated: str | None
    about: str
    layer: str | None
    verdict: str
    exact: int | None
    true_of: tuple[str, ...]
    because: str


class Claims(Result, frozen=True, kw_only=True):
    """The claims of several sources with their verdicts."""

    claims: tuple[Claimed, ...]

    @property
    def agrees(self) -> bool:
        """Every claim holds, or is at least not shown to be wrong."""
        return all(claim.verdict in (AGREES, UNDECIDED) for claim in self.claims)
