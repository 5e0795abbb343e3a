"""variants: the shipped variants, counted by formula."""

from __future__ import annotations

from collections.abc import Sequence

from capsaudit.catalogue import Variant
from capsaudit.commands.count import count
from capsaudit.knobs import changes
from capsaudit.results import VariantList, VariantSummary


def list_variants(variants: Sequence[Variant]) -> VariantList:
    """The variants with the knobs that differ from their parents'."""
    by_id = {variant.id: variant for variant in variants}
    return VariantList(variants=tuple(_summary(variant, by_id.get(variant.parent or "")) for variant in variants))


def _summary(variant: Variant, parent: Variant | None) -> VariantSummary:
    counted = count(variant, witnesses=("formula",))
    differing = changes(parent.spec, variant.spec) if parent else ()
    return VariantSummary(
        id=variant.id,
        summary=variant.summary,
        extends=variant.parent,
        changes=tuple(f"{change.knob} = {_toml(change.after)}" for change in differing),
        trainable=counted.trainable,
        frozen=counted.frozen,
        stated=counted.stated,
        stated_source=counted.stated_source,
        verdict=counted.verdict,
    )


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
