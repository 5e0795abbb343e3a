"""Claims about a model held against its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from capsaudit.audited import AuditedTensor, Inventory
from capsaudit.catalogue.target_claims import TargetClaim, TargetClaims
from capsaudit.figure import parse_figure
from capsaudit.results import AGREES, DISAGREES, AuditedClaim
from capsaudit.validation import nearest

_VALUES = {
    "trainable": "trainable values",
    "frozen": "frozen values",
    "buffers": "values in buffers",
    "all": "values in all",
}


def hold(inventory: Inventory, claims: TargetClaims) -> Iterator[AuditedClaim]:
    """The verdict on each claim of a file."""
    for claim, line in zip(claims.file.claims, claims.lines, strict=True):
        yield judged(
            inventory,
            claim,
            claims.file.policy,
            source=claim.source or claims.file.source,
            file=claims.label,
            line=line,
        )


def judged(inventory: Inventory, claim: TargetClaim, policy: str, *, source: str, file: str, line: int) -> AuditedClaim:
    """The verdict on one claim: whether the count prints as it is stated, at the figure's own precision."""
    policy = claim.policy or policy
    tensors = chosen(inventory.tensors, claim.layer)
    found = sum(tensor.by(policy) for tensor in tensors if _is_meant(tensor, claim.count))
    figure = parse_figure(claim.stated)
    agrees = bool(tensors) and figure.agrees_with(found)
    return AuditedClaim(
        layer=claim.layer,
        stated=claim.stated,
        count=claim.count,
        policy=policy,
        found=found,
        prints_as=figure.prints(found),
        verdict=AGREES if agrees else DISAGREES,
        because=_because(inventory, claim, tensors, found),
        source=source,
        file=file,
        line=line,
    )


def chosen(tensors: Sequence[AuditedTensor], pattern: str | None) -> list[AuditedTensor]:
    """The tensors of a layer (and of the layers in it), of one name, or of a pattern; all of them without one."""
    if pattern is None:
        return list(tensors)
    return [
        t
        for t in tensors
        if t.layer.startswith(f"{pattern}.") or any(_is_called(name, pattern) for name in (t.layer, t.name))
    ]


def _is_called(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _is_meant(tensor: AuditedTensor, count: str) -> bool:
    kind = "buffers" if tensor.buffer else "trainable" if tensor.trainable else "frozen"
    return count in (kind, "all")


def _because(inventory: Inventory, claim: TargetClaim, tensors: Sequence[AuditedTensor], found: int) -> str:
    if not tensors:
        layers = {tensor.layer for tensor in inventory.tensors} | {tensor.name for tensor in inventory.tensors}
        return f"nothing is called {claim.layer!r}; {nearest(claim.layer or '', layers - {''})}"
    figure = parse_figure(claim.stated)
    what = claim.layer or "the model"
    cut = f"; {claim.stated} only when cut off instead of rounded" if figure.agrees_when_cut(found) else ""
    return f"{what} has {found:,} {_VALUES[claim.count]}, which prints as {figure.prints(found)}{cut}"
