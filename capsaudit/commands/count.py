"""count: one variant, layer by layer, by every witness, beside what was stated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from capsaudit.arithmetic import LayerArithmetic
from capsaudit.catalogue import Stated, Variant
from capsaudit.commands.derivations import derivations
from capsaudit.errors import CapsauditError
from capsaudit.families import layers
from capsaudit.published import Figure, Verdict, approximation, judge
from capsaudit.results import Count, Layer, Reason
from capsaudit.results.base import reason
from capsaudit.spec import LARGEST_SIZE, Spec
from capsaudit.witnesses import WITNESSES, LayerCount, WitnessCount, expect_witnesses, witness

Counts = Mapping[str, WitnessCount]

_BYTES_PER_VALUE = 4


def count(variant: Variant, *, witnesses: Sequence[str] = WITNESSES) -> Count:
    """Count a variant. The numbers shown are those of the first witness; where another one differs, the verdict is `disagrees`.

    Raises:
        CapsauditError: a witness that does not exist, or no witness could count it.
    """
    rows, stated = layers(variant.spec), variant.stated or Stated(source="")
    refused, counts = _counts(variant.spec, rows, witnesses)
    if not counts:
        raise CapsauditError(f"{variant.id}: no witness could count it: {'; '.join(refused.values())}")
    first = next(iter(counts.values()))
    equations = derivations(variant.spec)
    counted = tuple(_layer(row, equations[row.name], stated.layers.get(row.name), counts, witnesses) for row in rows)
    differing = tuple(_total_disagreements(counts))
    anywhere = (*differing, *(found for layer in counted for found in layer.disagreements))
    return Count(
        variant=variant.id,
        summary=variant.summary,
        input_shape=rows[0].input_shape,
        layers=counted,
        trainable=first.trainable,
        frozen=first.frozen,
        buffers=sum(layer.buffers for layer in counted),
        stated=stated.total.text if stated.total else None,
        stated_source=stated.source or None,
        rounds_to=stated.total.round(first.trainable) if stated.total else None,
        verdict=_verdict(stated.total, first.trainable, anywhere),
        witnesses={name: counts[name].trainable if name in counts else None for name in witnesses},
        disagreements=differing,
        reasons=mismatch(variant.id, stated.total, first.trainable),
        notes=tuple(f"{name} did not count: {why}" for name, why in refused.items()),
    )


def mismatch(what: str, figure: Figure | None, exact: int, *, count: str | None = None) -> tuple[Reason, ...]:
    """Why the count of something does not agree with a figure; nothing where it does. `count`: which values of a model were counted."""
    if figure is None or judge(figure, exact) == "agrees":
        return ()
    read_as, rounded = approximation(figure, exact), figure.round(exact)
    values = {"stated": figure.text, "exact": exact, "rounds_to": rounded, "approximation": read_as, "count": count}
    return (reason("rounds otherwise", what=what, **values),)


def _counts(
    spec: Spec, rows: Sequence[LayerArithmetic], names: Sequence[str]
) -> tuple[dict[str, str], dict[str, WitnessCount]]:
    """Why witnesses refuse to count, and the counts of the others."""
    expect_witnesses(names)
    largest = max(parameter.count for row in rows for parameter in row.parameters)
    too_large = largest * _BYTES_PER_VALUE > LARGEST_SIZE
    refusal = f"a tensor of {largest:,} values is more than torch can address"
    refused = {name: refusal for name in names if too_large and name != "formula"}
    return refused, {name: witness(name)(spec) for name in names if name not in refused}


def _layer(
    row: LayerArithmetic, equations: tuple[str, ...], stated: Figure | None, counts: Counts, witnesses: Sequence[str]
) -> Layer:
    found = {name: counted.layers.get(row.name) for name, counted in counts.items()}
    first = next(iter(found.values())) or LayerCount()
    differing = tuple(_layer_disagreements(row.name, {name: each or LayerCount() for name, each in found.items()}))
    return Layer(
        name=row.name,
        input_shape=row.input_shape,
        output_shape=row.output_shape,
        parameters=row.parameters,
        derivations=equations,
        formula=str(row.formula),
        frozen_formula=str(row.frozen_formula) if row.frozen_formula else None,
        trainable=first.trainable,
        frozen=first.frozen,
        buffers=sum(buffer.count for buffer in row.buffers),
        stated=stated.text if stated else None,
        rounds_to=stated.round(first.trainable) if stated else None,
        verdict=_verdict(stated, first.trainable, differing),
        witnesses={name: each.trainable if (each := found.get(name)) else None for name in witnesses},
        disagreements=differing,
        reasons=mismatch(row.name, stated, first.trainable),
        notes=tuple(note for each in found.values() if each for note in each.notes),
    )


def _verdict(figure: Figure | None, counted: int, differing: Sequence[Reason]) -> Verdict:
    """Witnesses that differ make it `disagrees`, whatever was stated."""
    return "disagrees" if differing else judge(figure, counted)


def _layer_disagreements(layer: str, found: Mapping[str, LayerCount]) -> Iterator[Reason]:
    """Where witnesses differ in a layer: its totals, then tensor by tensor. A layer that a witness lacks counts as nothing there."""
    yield from _differing(f"{layer} trainable", {name: each.trainable for name, each in found.items()})
    yield from _differing(f"{layer} frozen", {name: each.frozen for name, each in found.items()})
    buffers = {
        name: None if each.buffers is None else tuple(sorted(each.buffers.items())) for name, each in found.items()
    }
    yield from _differing(f"{layer} buffers", buffers)
    for tensor in sorted({tensor for each in found.values() for tensor in each.tensors}):
        tensors = {name: each.tensors.get(tensor) for name, each in found.items()}
        yield from _differing(f"{layer}.{tensor}", {name: each.count if each else 0 for name, each in tensors.items()})
        present = {name: each for name, each in tensors.items() if each}
        yield from _differing(f"{layer}.{tensor} shape", {name: each.shape for name, each in present.items()})
        flags = {name: each.trainable for name, each in present.items()}
        yield from _differing(f"{layer}.{tensor} is trainable", flags)


def _total_disagreements(counts: Counts) -> Iterator[Reason]:
    yield from _differing("total trainable", {name: counted.trainable for name, counted in counts.items()})
    yield from _differing("total frozen", {name: counted.frozen for name, counted in counts.items()})
    if "formula" in counts:
        layers = {layer for counted in counts.values() for layer in counted.layers}
        for layer in sorted(layers - counts["formula"].layers.keys()):
            yield reason("unknown layer", layer=layer)


def _differing(what: str, values: Mapping[str, object]) -> Iterator[Reason]:
    """What a witness does not report (None) differs from nothing."""
    reported = {name: value for name, value in values.items() if value is not None}
    if len(set(reported.values())) > 1:
        yield reason("witnesses differ", what=what, values=reported)
