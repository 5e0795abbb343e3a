"""Claims about a model, judged by its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import to_builtins
from msgspec.structs import replace

from capsaudit.catalogue import load_all
from capsaudit.catalogue.model_claims import ModelClaim, Stated, claims_from
from capsaudit.commands.count import mismatch
from capsaudit.errors import CapsauditError
from capsaudit.interpretations.selections import explain_by_selections
from capsaudit.inventory import Inventory, expect_policy
from capsaudit.published import judge
from capsaudit.recognition.base import Match
from capsaudit.recognition.closest import closest
from capsaudit.results import AuditedClaim
from capsaudit.results.base import reason
from capsaudit.selection import Roles, select
from capsaudit.validation import nearest


def judge_claims(inventory: Inventory, claims: Sequence[ModelClaim], roles: Roles) -> tuple[AuditedClaim, ...]:
    """The verdict on each claim: whether the count of the tensors that it selects rounds to the stated figure.

    Raises:
        CapsauditError: every name that matches no layer and no tensor, with the nearest ones.
    """
    if faults := [fault for claim in claims for fault in _faults(inventory, claim, roles)]:
        raise CapsauditError(*faults)
    return tuple(_judge(claim, inventory, roles) for claim in claims)


def judge_counts(inventory: Inventory, stated: Mapping[str, Stated], policy: str) -> tuple[AuditedClaim, ...]:
    """The verdicts on figures by layer. `total` is the whole model, any other key a layer, a tensor or a pattern.

    Raises:
        CapsauditError: nothing stated, a figure that cannot be read, an unknown policy, or as `judge_claims`.
    """
    expect_policy(policy)
    claims, found = claims_from(stated, policy), closest(inventory, load_all())
    return judge_claims(inventory, claims, found.network.layers if isinstance(found, Match) else {})


def _judge(claim: ModelClaim, inventory: Inventory, roles: Roles) -> AuditedClaim:
    selection, what = claim.selection, claim.about or "the model"
    found = selection.total(inventory.tensors, selection.tensors(inventory.tensors, roles))
    selected = (reason("selected", what=what, found=found, count=selection.count),)
    judged = AuditedClaim(
        layer=claim.about,
        layers=selection.layers,
        excluded=selection.excluded,
        stated=claim.figure.text,
        count=selection.count,
        policy=selection.policy,
        experts=selection.experts,
        found=found,
        rounds_to=claim.figure.round(found),
        verdict=judge(claim.figure, found),
        source=claim.source,
        file=claim.file,
        line=claim.line,
        reasons=mismatch(what, claim.figure, found, count=selection.count) or selected,
    )
    return _explained(judged, claim, inventory, roles) if judged.verdict == "disagrees" else judged


def _explained(judged: AuditedClaim, claim: ModelClaim, inventory: Inventory, roles: Roles) -> AuditedClaim:
    """A claim that disagrees, with the ways to count that have its figure: those with the fewest changes."""
    search = explain_by_selections(claim.figure, inventory, claim.selection, roles)
    fewest = [each for each in search.explanations if len(each.changes) == len(search.explanations[0].changes)]
    why = (
        reason("explained", stated=judged.stated, explanation=to_builtins(fewest[0]), others=len(fewest) - 1)
        if fewest
        else reason("not explained", stated=judged.stated, examined=search.examined)
    )
    return replace(judged, reasons=(*judged.reasons, why), explanations=tuple(fewest), examined=search.examined)


def _faults(inventory: Inventory, claim: ModelClaim, roles: Roles) -> Iterator[str]:
    selection, tensors = claim.selection, inventory.tensors
    place = f"{claim.file}:{claim.line}" if claim.file else inventory.target
    if inventory.incomplete and not selection.layers:
        yield f"{place}: a claim about the whole model; {inventory.target} {inventory.incomplete}"
    missing = [pattern for pattern in (*selection.layers, *selection.excluded) if not select(tensors, pattern, roles)]
    for pattern in missing:
        names = {name for tensor in tensors for name in (tensor.layer, tensor.name)} | roles.keys()
        yield f"{place}: no layer or tensor matches {pattern!r}; {nearest(pattern, names - {''})}"
    if missing:
        return
    chosen = selection.tensors(tensors, roles)
    if not chosen:
        yield f"{place}: nothing is left of {claim.about}"
    try:
        selection.total(tensors, chosen)
    except CapsauditError as error:
        yield f"{place}: {error}"
