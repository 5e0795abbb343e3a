"""reconcile --model: the ways to count somebody's model that have a figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from capsaudit.errors import CapsauditError
from capsaudit.interpretations.selections import CHANGES, explain_by_selections
from capsaudit.inventory import Inventory
from capsaudit.published import Figure
from capsaudit.results import ModelExplanation, ModelReconciliation
from capsaudit.selection import Selection

NOT_RUN = "the model was not run, so what a forward pass does not use is unknown; pass its input (--input 1,28,28)"


def reconcile_model(
    figure: Figure, inventory: Inventory, *, changes_at_most: int | None = None, top: int = 10
) -> ModelReconciliation:
    """Search the ways to count a model, from its trainable parameters on, for those that have a figure.

    Raises:
        CapsauditError: it is a part of a model, there are too many ways, or fewer than one change allowed or explanation asked for.
    """
    if (changes_at_most is not None and changes_at_most < 1) or top < 1:
        raise CapsauditError("--changes and --top: expected at least 1")
    if inventory.incomplete:
        raise CapsauditError(f"{inventory.target}: {inventory.incomplete}; only a whole model is searched")
    search = explain_by_selections(figure, inventory, Selection(), {}, changes_at_most=changes_at_most or CHANGES)
    was_run = inventory.examples or all(finding.kind != "not probed" for finding in inventory.findings)
    return ModelReconciliation(
        figure=figure.text,
        target=inventory.target,
        interval=(figure.low, figure.high),
        total=inventory.trainable(),
        examined=search.examined,
        changes_at_most=search.changes_at_most,
        found=len(search.explanations),
        by_changes=search.by_changes,
        explanations=tuple(_mark_redundant(search.explanations))[:top],
        notes=() if was_run else (NOT_RUN,),
    )


def _mark_redundant(explanations: Sequence[ModelExplanation]) -> Iterator[ModelExplanation]:
    """An explanation that makes all changes of an earlier one and more is no further evidence."""
    earlier: list[frozenset[tuple[str, str]]] = []
    for explanation in explanations:
        made = frozenset((change.knob, str(change.after)) for change in explanation.changes)
        is_redundant = any(fewer < made for fewer in earlier)
        yield replace(explanation, evidence="redundant") if is_redundant else explanation
        earlier.append(made)
