"""explain: the ledger from one variant's total to another's, one line for each changed knob."""

from __future__ import annotations

from collections.abc import Sequence

from capsaudit.catalogue import Variant
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of, impossible, layers, total
from capsaudit.knobs import KnobChange, changed, changes, to_data
from capsaudit.results import LayerDifference, Ledger, Step
from capsaudit.spec import Spec
from capsaudit.validation import faults_of


def explain(start: Variant, end: Variant) -> Ledger:
    """The ledger. Differences add up to the difference of the totals; networks on the way that cannot exist are avoided."""
    order = (*family_of(start.spec).knob_order, "family")
    steps: list[Step] = []
    spec = start.spec
    remaining = sorted(changes(start.spec, end.spec), key=lambda change: order.index(change.knob.partition(".")[0]))
    while remaining:
        change, after = _next_possible(spec, remaining, end.spec)
        steps.append(_step(change, spec, after, start.spec, end))
        remaining.remove(change)
        spec = after
    return Ledger(
        start=start.id,
        end=end.id,
        start_total=total(start.spec),
        steps=tuple(steps),
        difference=total(end.spec) - total(start.spec),
        order=order,
    )


def _next_possible(spec: Spec, remaining: Sequence[KnobChange], end: Spec) -> tuple[KnobChange, Spec]:
    """The first change that leaves a network that can exist. The last one always does: it arrives at `end`."""
    if len(remaining) == 1:
        return remaining[0], end
    for change in remaining:
        if (after := _changed(spec, change, end)) is not None:
            return change, after
    raise CapsauditError(
        f"no order of these changes keeps the network possible: {', '.join(change.knob for change in remaining)}"
    )


def _changed(spec: Spec, change: KnobChange, end: Spec) -> Spec | None:
    """The spec with one knob changed; None where no such network can exist."""
    if change.knob == "family":
        return end
    after, _ = faults_of(changed(to_data(spec), change.knob, change.after), type(spec))
    return after if after is not None and impossible(after) is None else None


def _step(change: KnobChange, before: Spec, after: Spec, start: Spec, end: Variant) -> Step:
    alone = _changed(start, change, end.spec)
    return Step(
        knob=change.knob,
        before=change.before,
        after=change.after,
        difference=total(after) - total(before),
        total=total(after),
        layers=_by_layer(before, after),
        alone=None if alone is None else total(alone) - total(start),
        source=end.source(change.knob),
    )


def _by_layer(before: Spec, after: Spec) -> tuple[LayerDifference, ...]:
    old = {layer.name: layer.formula.value for layer in layers(before)}
    new = {layer.name: layer.formula.value for layer in layers(after)}
    names = [*old, *(name for name in new if name not in old)]
    differences = {name: new.get(name, 0) - old.get(name, 0) for name in names}
    return tuple(LayerDifference(layer=name, difference=n) for name, n in differences.items() if n)
