"""Claims about a model, judged by its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from capsaudit.catalogue import load_all
from capsaudit.catalogue.model_claims import ModelClaim, claims_from
from capsaudit.commands.count import mismatch
from capsaudit.errors import CapsauditError
from capsaudit.inventory import Counted, Inventory, InventoryTensor, expect_policy
from capsaudit.published import judge
from capsaudit.recognition.base import Match
from capsaudit.recognition.closest import closest
from capsaudit.results import AuditedClaim
from capsaudit.results.base import reason
from capsaudit.validation import nearest

Roles = Mapping[str, Sequence[InventoryTensor]]
"""The tensors of a recognised model by the layers of its variant: `digit_caps`, `fc1`, … Empty where nothing is recognised."""

_COUNTED: dict[Counted, tuple[str, ...]] = {
    "trainable": ("trainable",),
    "frozen": ("frozen",),
    "parameters": ("trainable", "frozen"),
    "buffers": ("buffers",),
    "all": ("trainable", "frozen", "buffers"),
}


def judge_claims(inventory: Inventory, claims: Sequence[ModelClaim], roles: Roles) -> tuple[AuditedClaim, ...]:
    """The verdict on each claim: whether the count of the tensors that it selects rounds to the stated figure.

    Raises:
        CapsauditError: every name that matches no layer and no tensor, with the nearest ones.
    """
    if faults := [fault for claim in claims for fault in _faults(inventory, claim, roles)]:
        raise CapsauditError(*faults)
    return tuple(_judge(claim, selected_by(inventory.tensors, claim, roles)) for claim in claims)


def judge_counts(inventory: Inventory, stated: Mapping[str, str | int], policy: str) -> tuple[AuditedClaim, ...]:
    """The verdicts on figures by layer. `total` is the whole model, any other key a layer, a tensor or a pattern.

    Raises:
        CapsauditError: nothing stated, a figure that cannot be read, an unknown policy, or as `judge_claims`.
    """
    expect_policy(policy)
    claims, found = claims_from(stated, policy), closest(inventory, load_all())
    return judge_claims(inventory, claims, found.network.layers if isinstance(found, Match) else {})


def selected_by(tensors: Sequence[InventoryTensor], claim: ModelClaim, roles: Roles) -> list[InventoryTensor]:
    """The tensors that a claim is about, in the order of the model."""
    chosen = {t.name for pattern in claim.layers or (None,) for t in select(tensors, pattern, roles)}
    left_out = {t.name for pattern in claim.excluded for t in select(tensors, pattern, roles)}
    selected = chosen - left_out
    return [tensor for tensor in tensors if tensor.name in selected]


def select(tensors: Sequence[InventoryTensor], pattern: str | None, roles: Roles) -> list[InventoryTensor]:
    """The tensors of a layer (and of the layers in it), of one name, or of a pattern; all of them without one.

    The model's own names come first; where none of them matches, the pattern is one of layers of the variant.
    """
    if pattern is None:
        return list(tensors)
    own = [
        t
        for t in tensors
        if t.layer.startswith(f"{pattern}.") or any(_matches(name, pattern) for name in (t.layer, t.name))
    ]
    return own or [t for name, found in roles.items() if _matches(name, pattern) for t in found]


def _judge(claim: ModelClaim, tensors: Sequence[InventoryTensor]) -> AuditedClaim:
    found = sum(tensor.by(claim.policy) for tensor in tensors if tensor.side in _COUNTED[claim.count])
    what = claim.about or "the model"
    selected = (reason("selected", what=what, found=found, count=claim.count),)
    return AuditedClaim(
        layer=claim.about,
        layers=claim.layers,
        excluded=claim.excluded,
        stated=claim.figure.text,
        count=claim.count,
        policy=claim.policy,
        found=found,
        rounds_to=claim.figure.round(found),
        verdict=judge(claim.figure, found),
        source=claim.source,
        file=claim.file,
        line=claim.line,
        reasons=mismatch(what, claim.figure, found, count=claim.count) or selected,
    )


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)


def _faults(inventory: Inventory, claim: ModelClaim, roles: Roles) -> Iterator[str]:
    place = f"{claim.file}:{claim.line}" if claim.file else inventory.target
    if inventory.incomplete and not claim.layers:
        yield f"{place}: a claim about the whole model; {inventory.target} {inventory.incomplete}"
    patterns = (*claim.layers, *claim.excluded)
    missing = [pattern for pattern in patterns if not select(inventory.tensors, pattern, roles)]
    for pattern in missing:
        names = {name for tensor in inventory.tensors for name in (tensor.layer, tensor.name)} | roles.keys()
        yield f"{place}: no layer or tensor matches {pattern!r}; {nearest(pattern, names - {''})}"
    if not missing and not selected_by(inventory.tensors, claim, roles):
        yield f"{place}: nothing is left of {claim.about}"
