"""Claims about a model, judged against its tensors; `assert_counts` raises where one is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from capsaudit.catalogue.model_claims import TargetClaim, TargetClaims
from capsaudit.errors import CapsauditError
from capsaudit.inventory import POLICIES, AuditedTensor, Inventory
from capsaudit.published import parse_figure
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


def expect_counts(inventory: Inventory, stated: Mapping[str, str | int], policy: str) -> None:
    """Raise where a figure is not what is counted. `total` is the whole model, any other key a layer, a tensor or a pattern.

    Raises:
        AssertionError: with what is wrong, and the layers as counted.
        CapsauditError: nothing stated, a figure that cannot be read, or an unknown policy.
    """
    if not stated:
        raise CapsauditError('assert_counts: nothing is stated; expected figures such as {"total": "8.2M"}')
    if policy not in POLICIES:
        raise CapsauditError(f"no policy {policy!r}; {nearest(policy, POLICIES)}")
    claims = [
        TargetClaim(stated=str(figure), layer=None if name == "total" else name) for name, figure in stated.items()
    ]
    verdicts = [judged(inventory, claim, policy, source="", file="", line=0) for claim in claims]
    wrong = [f"{v.layer or 'total'}: stated {v.stated}, but {v.because}" for v in verdicts if v.verdict != AGREES]
    if wrong:
        raise AssertionError("\n".join([*wrong, "", *_table(inventory, policy)]))


def _table(inventory: Inventory, policy: str) -> list[str]:
    """Trainable values by layer, aligned."""
    by_layer: dict[str, int] = {}
    for tensor in inventory.tensors:
        if tensor.trainable and not tensor.buffer:
            name = tensor.layer or "(the model itself)"
            by_layer[name] = by_layer.get(name, 0) + tensor.by(policy)
    rows = [*by_layer.items(), ("total", inventory.trainable(policy))]
    names, counts = max(len(name) for name, _ in rows), max(len(f"{count:,}") for _, count in rows)
    return [f"  {name:<{names}}  {count:>{counts},}" for name, count in rows]
