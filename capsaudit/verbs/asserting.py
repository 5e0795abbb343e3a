"""assert_counts: figures of a model as an assertion, with a failure that can be read."""

from __future__ import annotations

from collections.abc import Mapping

from capsaudit.audited import POLICIES, Inventory
from capsaudit.catalogue.target_claims import TargetClaim
from capsaudit.errors import CapsauditError
from capsaudit.results import AGREES
from capsaudit.validation import nearest
from capsaudit.verbs.holding import judged


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
