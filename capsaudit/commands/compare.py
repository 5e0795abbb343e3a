"""compare: several variants side by side, and which stated figures each total prints as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capsaudit.catalogue import Variant
from capsaudit.commands.count import count
from capsaudit.published import parse_figure
from capsaudit.results import Comparison, Count, StatedFigure
from capsaudit.witnesses import WITNESSES


def compare(
    variants: Sequence[Variant], *, witnesses: Sequence[str] = WITNESSES, stated_by: Sequence[Variant] = ()
) -> Comparison:
    """Count each variant, and hold each total against the figures that these variants and those of `stated_by` state."""
    counts = tuple(count(variant, witnesses=witnesses) for variant in variants)
    return Comparison(
        layers=_all_layers(counts),
        variants=counts,
        figures=tuple(_figures((*stated_by, *variants), counts)),
    )


def _all_layers(counts: Sequence[Count]) -> tuple[str, ...]:
    """Every layer's name, in the order of the kinds (convolutions, capsules, fully connected) and of their numbers."""
    names = {layer.name for counted in counts for layer in counted.layers}
    kinds = ("conv", "primary_caps", "digit_caps", "fc")
    return tuple(sorted(names, key=lambda name: (kinds.index(name.rstrip("0123456789")), len(name), name)))


def _figures(variants: Sequence[Variant], counts: Sequence[Count]) -> Iterator[StatedFigure]:
    seen: set[tuple[str, str]] = set()
    for variant in variants:
        stated = variant.stated
        if stated is None or stated.total is None or (stated.total, variant.id) in seen:
            continue
        seen.add((stated.total, variant.id))
        figure = parse_figure(stated.total)
        printed_by = tuple(counted.variant for counted in counts if figure.agrees_with(counted.trainable))
        yield StatedFigure(stated=stated.total, about=variant.id, source=stated.source, printed_by=printed_by)
