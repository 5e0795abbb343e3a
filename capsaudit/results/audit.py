"""What `audit` returns."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.inventory import AuditedTensor, Finding
from capsaudit.results.base import AGREES, Result
from capsaudit.results.explain import Step


class AuditedLayer(Struct, frozen=True, kw_only=True):
    """A layer of a model: its tensors, and beside them what the variant has there."""

    name: str
    tensors: tuple[str, ...]
    trainable: int
    frozen: int
    buffers: int
    expected: int | None
    difference: int | None


class AuditedClaim(Struct, frozen=True, kw_only=True):
    """A claim about a model, judged; `file` and `line` say where it is made."""

    layer: str | None
    stated: str
    count: str
    policy: str
    found: int
    prints_as: str
    verdict: str
    because: str
    source: str
    file: str
    line: int


class Audit(Result, frozen=True, kw_only=True):
    """Somebody's model: what it holds, the variant that it is closest to, and what differs.

    `policies`: all its parameters by each policy that makes a difference. `explanations`: the knobs that lead from the variant to the
    model; `unexplained`: what they do not account for. `assumed`: knobs that no tensor tells.
    """

    target: str
    policy: str
    trainable: int
    frozen: int
    buffers: int
    bytes: int
    policies: dict[str, int]
    layers: tuple[AuditedLayer, ...]
    tensors: tuple[AuditedTensor, ...]
    closest: str | None
    closest_total: int | None
    difference: int | None
    explanations: tuple[Step, ...]
    unexplained: int | None
    assumed: tuple[str, ...]
    behaviour: tuple[str, ...]
    warnings: tuple[Finding, ...]
    claims: tuple[AuditedClaim, ...]
    notes: tuple[str, ...]
    verdict: str

    @property
    def agrees(self) -> bool:
        """Every claim holds, or else the model is just the variant."""
        return self.verdict == AGREES
