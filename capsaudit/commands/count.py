"""count: one variant, layer by layer, by every witness, next to what was stated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from capsaudit.arithmetic import LayerArithmetic, layers
from capsaudit.catalogue import Variant
from capsaudit.errors import CapsauditError
from capsaudit.published import parse_figure
from capsaudit.results import AGREES, DISAGREES, UNSTATED, Count, Layer
from capsaudit.spec import LARGEST_SIZE, Spec
from capsaudit.validation import nearest
from capsaudit.witnesses import WITNESSES, SeenLayer, Testimony, witness

Testimonies = Mapping[str, Testimony]

_BYTES_A_VALUE = 4


def count(variant: Variant, *, witnesses: Sequence[str] = WITNESSES) -> Count:
    """Count a variant. The figures shown are those of the first witness; where another one differs, the verdict says so.

    Raises:
        CapsauditError: a witness that does not exist.
    """
    rows = layers(variant.spec)
    testimonies = _hear(variant.spec, rows, witnesses)
    first = next((said for said in testimonies.values() if said.unseen is None), None)
    if first is None:
        raise CapsauditError(f"{variant.id}: no witness could count it: {'; '.join(_unseen(testimonies))}")
    counted = tuple(_layer(row, variant, testimonies) for row in rows)
    stated = variant.stated.total if variant.stated else None
    totals = _total_disagreements(testimonies)
    return Count(
        variant=variant.id,
        summary=variant.summary,
        input_shape=rows[0].input_shape,
        layers=counted,
        trainable=first.trainable,
        frozen=first.frozen,
        stated=stated,
        stated_source=variant.stated.source if variant.stated else None,
        prints_as=_prints_as(stated, first.trainable),
        verdict=_verdict(
            stated, first.trainable, (*totals, *(text for layer in counted for text in layer.disagreements))
        ),
        witnesses={name: None if said.unseen else said.trainable for name, said in testimonies.items()},
        disagreements=totals,
        because=_against(stated, first.trainable),
        notes=tuple(_unseen(testimonies)),
    )


def _hear(spec: Spec, rows: Sequence[LayerArithmetic], names: Sequence[str]) -> dict[str, Testimony]:
    for name in names:
        if name not in WITNESSES:
            raise CapsauditError(f"no witness {name!r}; {nearest(name, WITNESSES)}")
    largest = max(parameter.count for row in rows for parameter in row.parameters)
    too_large = largest * _BYTES_A_VALUE > LARGEST_SIZE
    refusal = Testimony(unseen=f"a tensor of {largest:,} values is more than torch can address")
    return {name: refusal if too_large and name != "formula" else witness(name)(spec) for name in names}


def _layer(row: LayerArithmetic, variant: Variant, testimonies: Testimonies) -> Layer:
    heard = {name: said.layers.get(row.name) for name, said in testimonies.items() if said.unseen is None}
    first = next(seen for seen in heard.values()) or SeenLayer(0, 0, {})
    stated = variant.stated.layers.get(row.name) if variant.stated else None
    differences = tuple(_layer_disagreements(row.name, heard))
    return Layer(
        name=row.name,
        input_shape=row.input_shape,
        output_shape=row.output_shape,
        parameters=row.parameters,
        formula=str(row.formula),
        frozen_formula=str(row.frozen_formula) if row.frozen_formula else None,
        trainable=first.trainable,
        frozen=first.frozen,
        stated=stated,
        prints_as=_prints_as(stated, first.trainable),
        verdict=_verdict(stated, first.trainable, differences),
        witnesses={name: seen.trainable if (seen := heard.get(name)) else None for name in testimonies},
        disagreements=differences,
        because=_against(stated, first.trainable),
        notes=tuple(note for seen in heard.values() if seen for note in seen.notes),
    )


def _verdict(stated: str | None, counted: int, differences: Sequence[str]) -> str:
    """Witnesses that differ make it `disagrees`, whatever was stated."""
    if differences or _against(stated, counted):
        return DISAGREES
    return AGREES if stated is not None else UNSTATED


def _against(stated: str | None, counted: int) -> tuple[str, ...]:
    """Why a count does not print as the stated figure; nothing where it does."""
    if stated is None or (figure := parse_figure(stated)).agrees_with(counted):
        return ()
    cut = f" ({stated} only when cut off instead of rounded)" if figure.agrees_when_cut(counted) else ""
    return (f"stated {stated}, counted {counted:,}, which prints as {figure.prints(counted)}{cut}",)


def _prints_as(stated: str | None, counted: int) -> str | None:
    return None if stated is None else parse_figure(stated).prints(counted)


def _layer_disagreements(layer: str, heard: Mapping[str, SeenLayer | None]) -> Iterator[str]:
    """Where witnesses differ in a layer: its totals, then tensor by tensor. A layer that a witness lacks counts as nothing there."""
    seen = {name: found or SeenLayer(0, 0, {}) for name, found in heard.items()}
    yield from _differing(f"{layer} trainable", {name: found.trainable for name, found in seen.items()})
    yield from _differing(f"{layer} frozen", {name: found.frozen for name, found in seen.items()})
    for tensor in sorted({tensor for found in seen.values() for tensor in found.parameters}):
        tensors = {name: found.parameters.get(tensor) for name, found in seen.items()}
        counts = {name: tensor_seen.count if tensor_seen else 0 for name, tensor_seen in tensors.items()}
        yield from _differing(f"{layer}.{tensor}", counts)
        told = {name: tensor_seen for name, tensor_seen in tensors.items() if tensor_seen}
        yield from _differing(
            f"{layer}.{tensor} shape", {name: t.shape for name, t in told.items() if t.shape is not None}
        )
        flags = {name: t.trainable for name, t in told.items() if t.trainable is not None}
        yield from _differing(f"{layer}.{tensor} is trainable", flags)


def _total_disagreements(testimonies: Testimonies) -> tuple[str, ...]:
    heard = {name: said for name, said in testimonies.items() if said.unseen is None}
    known = {layer for name, said in heard.items() if name == "formula" for layer in said.layers}
    unknown = sorted({layer for said in heard.values() for layer in said.layers} - known) if known else []
    return (
        *_differing("trainable in all", {name: said.trainable for name, said in heard.items()}),
        *_differing("frozen in all", {name: said.frozen for name, said in heard.items()}),
        *(f"{layer}: a layer that the formula does not know" for layer in unknown),
    )


def _differing(what: str, said: Mapping[str, object]) -> Iterator[str]:
    if len(set(said.values())) > 1:
        yield f"{what}: " + ", ".join(f"{name} {_shown(value)}" for name, value in said.items())


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _unseen(testimonies: Testimonies) -> Iterator[str]:
    for name, said in testimonies.items():
        if said.unseen is not None:
            yield f"{name} did not count: {said.unseen}"
