"""Claims about a model, judged by its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from capsaudit.catalogue.model_claims import Counted, ModelClaim, claims_from
from capsaudit.commands.count import mismatch
from capsaudit.inventory import Inventory, InventoryTensor, expect_policy
from capsaudit.published import judge
from capsaudit.results import AuditedClaim, Reason
from capsaudit.results.base import reason
from capsaudit.validation import nearest


def judge_claim(inventory: Inventory, claim: ModelClaim) -> AuditedClaim:
    """The verdict on one claim: whether the count of the tensors that it selects rounds to the stated figure."""
    tensors = select(inventory.tensors, claim.layer)
    found = sum(tensor.by(claim.policy) for tensor in tensors if _is_counted(tensor, claim.count))
    return AuditedClaim(
        layer=claim.layer,
        stated=claim.figure.text,
        count=claim.count,
        policy=claim.policy,
        found=found,
        rounds_to=claim.figure.round(found),
        verdict=judge(claim.figure, found) if tensors else "disagrees",
        source=claim.source,
        file=claim.file,
        line=claim.line,
        reasons=tuple(_reasons(inventory, claim, tensors, found)),
    )


def select(tensors: Sequence[InventoryTensor], pattern: str | None) -> list[InventoryTensor]:
    """The tensors of a layer (and of the layers in it), of one name, or of a pattern; all of them without one."""
    if pattern is None:
        return list(tensors)
    return [
        t
        for t in tensors
        if t.layer.startswith(f"{pattern}.") or any(_matches(name, pattern) for name in (t.layer, t.name))
    ]


def judge_counts(inventory: Inventory, stated: Mapping[str, str | int], policy: str) -> list[AuditedClaim]:
    """The verdicts on figures by layer. `total` is the whole model, any other key a layer, a tensor or a pattern.

    Raises:
        CapsauditError: nothing stated, a figure that cannot be read, or an unknown policy.
    """
    expect_policy(policy)
    return [judge_claim(inventory, claim) for claim in claims_from(stated, policy)]


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _is_counted(tensor: InventoryTensor, count: Counted) -> bool:
    kind = "buffers" if tensor.buffer else "trainable" if tensor.trainable else "frozen"
    return count in (kind, "all")


def _reasons(
    inventory: Inventory, claim: ModelClaim, tensors: Sequence[InventoryTensor], found: int
) -> tuple[Reason, ...]:
    if not tensors:
        names = {tensor.layer for tensor in inventory.tensors} | {tensor.name for tensor in inventory.tensors}
        return (reason("nothing selected", layer=claim.layer, hint=nearest(claim.layer or "", names - {""})),)
    what = claim.layer or "the model"
    selected = (reason("selected", what=what, found=found, count=claim.count),)
    return mismatch(what, claim.figure, found, count=claim.count) or selected
