"""Claims about a model that do not agree, as the message of a failed assertion."""

from __future__ import annotations

from collections.abc import Sequence

from capsaudit.inventory import Inventory
from capsaudit.render.escaping import with_escapes
from capsaudit.render.reasons import because
from capsaudit.results import AuditedClaim
from capsaudit.text import escaped


def failed_claims(claims: Sequence[AuditedClaim], inventory: Inventory, policy: str) -> str:
    """A line for each claim that does not agree, then the layers as counted; empty where all agree."""
    wrong = [
        f"{c.layer or 'total'}: stated {c.stated}; {because(c.reasons)}"
        for c in with_escapes(claims)
        if c.verdict != "agrees"
    ]
    return "\n".join([*wrong, "", *_table(inventory, policy)]) if wrong else ""


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
