"""Claims about a model that do not agree, as the message of a failed test."""

from __future__ import annotations

from collections.abc import Sequence

from capsaudit.inventory import Inventory
from capsaudit.published import parse_figure
from capsaudit.render.document import number, separated
from capsaudit.render.escaping import with_escapes
from capsaudit.render.reasons import COUNTED, because, sentence
from capsaudit.results import AuditedClaim
from capsaudit.text import escaped


def failed_claims(claims: Sequence[AuditedClaim], inventory: Inventory, policy: str) -> str:
    """A line for each claim that does not agree, then the layers as counted; empty where all agree."""
    wrong = [failed_claim(claim) for claim in claims if claim.verdict != "agrees"]
    return "\n".join([*wrong, "", *_table(inventory, policy)]) if wrong else ""


def failed_claim(claim: AuditedClaim) -> str:
    """`features.0: 1,820 trainable parameters, stated 1,792 (+28)`; of a rounded figure, what the count rounds to. Below it, what explains it."""
    claim = with_escapes(claim)
    counted, stated = f"{claim.layer or 'total'}: {claim.found:,} {COUNTED[claim.count]}", separated(claim.stated)
    if claim.rounds_to != f"{claim.found:,}":
        return f"{counted}, rounded {claim.rounds_to}, stated {stated}{_remark(claim)}"
    difference = number(claim.found - parse_figure(stated).value, signed=True).text
    return f"{counted}, stated {stated} ({difference}){_remark(claim)}"


def _remark(claim: AuditedClaim) -> str:
    """How a figure has to be read for the count, or what was found by counting otherwise; on a line of its own."""
    if claim.verdict == "approximate":
        return f"\n  {because(claim.reasons).rpartition('; ')[2]}"
    return f"\n  {sentence(claim.reasons[-1])}" if claim.examined is not None else ""


def _table(inventory: Inventory, policy: str) -> list[str]:
    """Trainable values by layer, aligned."""
    by_layer: dict[str, int] = {}
    for tensor in inventory.tensors:
        if tensor.trainable and not tensor.buffer:
            name = escaped(tensor.layer) or "(the model itself)"
            by_layer[name] = by_layer.get(name, 0) + tensor.by(policy)
    rows = [*by_layer.items(), ("total", inventory.trainable(policy))]
    names, counts = max(len(name) for name, _ in rows), max(len(f"{count:,}") for _, count in rows)
    return [f"  {name:<{names}}  {count:>{counts},}" for name, count in rows]
