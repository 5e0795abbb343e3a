"""What `reconcile --joint` returns."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from capsaudit.published import Verdict
from capsaudit.results.base import Result
from capsaudit.spec import Value


class Excluded(Struct, frozen=True, kw_only=True):
    """A value that no interpretation of all figures can have: which claims exclude it, and the total it would give for the first of them."""

    value: Value
    by: tuple[str, ...]
    total: int
    stated: str
    rounds_to: str
    about: str
    source: str


class Question(Struct, frozen=True, kw_only=True):
    """An open question: the values of a knob that some interpretation of all figures has, and the others.

    `about`: the networks that it is asked of, where their answers need not be the same. `assumed`: what the variants say.
    """

    knob: str
    about: tuple[str, ...]
    assumed: Value
    allowed: tuple[Value, ...]
    excluded: tuple[Excluded, ...]

    @property
    def decided(self) -> bool:
        """Only one answer is left."""
        return len(self.allowed) == 1


class JointFigure(Struct, frozen=True, kw_only=True):
    """A figure, the network it is about, and the verdict on that variant's total."""

    claim: str
    stated: str
    about: str
    total: int
    verdict: Verdict


class Joint(Result, frozen=True, kw_only=True):
    """What a source's figures together decide about the questions that its text leaves open."""

    sources: tuple[str, ...]
    claims: tuple[str, ...]
    satisfied: bool
    figures: tuple[JointFigure, ...]
    examined: int
    satisfying: int
    questions: tuple[Question, ...] = msgspec.field(name="knobs")

    @property
    def agrees(self) -> bool:
        """Some interpretation satisfies all figures."""
        return self.satisfied
