"""compare: several variants side by side, and which stated figures each total agrees with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capsaudit.catalogue import Variant
from capsaudit.commands.count import count
from capsaudit.families import layer_rank
from capsaudit.published import judge
from capsaudit.results import Comparison, Count, StatedFigure
from capsaudit.witnesses import WITNESSES


def compare(
    variants: Sequence[Variant], *, witnesses: Sequence[str] = WITNESSES, stated_by: Sequence[Variant] = ()
) -> Comparison:
    """Count each variant, and judge each total by the figures that these variants and those of `stated_by` state."""
    counts = tuple(count(variant, witnesses=witnesses) for variant in variants)
    names = {layer.name for counted in counts for layer in counted.layers}
    return Comparison(
        layers=tuple(sorted(names, key=layer_rank)),
        variants=counts,
        figures=tuple(_figures((*stated_by, *variants), counts)),
    )


def _figures(variants: Sequence[Variant], counts: Sequence[Count]) -> Iterator[StatedFigure]:
    seen: set[tuple[str, str]] = set()
    for variant in variants:
        if variant.stated is None or (figure := variant.stated.total) is None or (figure.text, variant.id) in seen:
            continue
        seen.add((figure.text, variant.id))
        yield StatedFigure(
            stated=figure.text,
            about=variant.id,
            source=variant.stated.source,
            interval=(figure.low, figure.high),
            agreeing=tuple(counted.variant for counted in counts if judge(figure, counted.trainable) == "agrees"),
        )
