"""What has a figure among what is known: shipped variants, their layers, tensors and parts, and published figures. Nothing is searched for."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence, Set
from functools import cache
from itertools import combinations
from typing import NamedTuple

import msgspec
from msgspec import Struct

from capsaudit.arithmetic import LayerArithmetic
from capsaudit.catalogue import Variant, load_all
from capsaudit.catalogue.claims import claims_of
from capsaudit.conventions import CONVENTIONS, READINGS, Counting, counted
from capsaudit.families import family_of, layers, total
from capsaudit.published import Figure, cut_interval, interval_in_1024, with_fewer_digits
from capsaudit.results import Known, KnownKind, Reading


class Selection(Struct, frozen=True):
    """What is counted of a network: these rows, or one of `share` equal parts of them. `rank`: the order in which a reader would think of it."""

    kind: KnownKind
    name: str
    rows: tuple[LayerArithmetic, ...]
    rank: int
    share: int = 1


class Ranked(NamedTuple):
    """Something known, and the order in which a reader would think of it."""

    rank: int
    quantity: Known


_KINDS: tuple[KnownKind, ...] = ("variant", "layer", "part", "tensor", "published")

_VARIANT, _LAYER, _PART, _TENSOR, _OTHERWISE_PRINTED, _RUN, _CONVENTION = range(7)
"""A network printed in another way comes before a sum of neighbouring layers that happens to round to the figure."""


def known(figure: Figure) -> tuple[Known, ...]:
    """Everything that has this figure, the likeliest first.

    Of equal networks those first of which a source states this figure. Whole networks are also found by other readings of the figure: with
    trailing zeros that only fill places, cut, in thousands of 1024; layers and parts are only where nothing else is.
    """
    found = _within(figure.low, figure.high)
    for name, (low, high) in _readings(figure):
        otherwise = [one for one in _within(low, high) if one.rank == _VARIANT or (not found and one.rank <= _TENSOR)]
        found += [Ranked(_OTHERWISE_PRINTED, msgspec.structs.replace(one.quantity, reading=name)) for one in otherwise]
    published = [claim for claim in _published() if claim.quantity.total == figure.value]
    stated = {claim.quantity.of for claim in published if claim.rank == _VARIANT}
    first: dict[object, Known] = {}  # what two readings find is named once, by the first
    for _, quantity in (*sorted(found, key=lambda one: _order(one, stated)), *published):
        first.setdefault((quantity.of, quantity.name, tuple(quantity.counting)), quantity)
    return tuple(first.values())


def _order(one: Ranked, stated: Set[str]) -> tuple[int, int, bool]:
    is_stated = one.quantity.kind == "variant" and one.quantity.of in stated
    return one.rank, _KINDS.index(one.quantity.kind), not is_stated


def as_read(figure: Figure, found: Sequence[Known]) -> Figure:
    """The figure with the digits that what is known takes as significant."""
    if found and found[0].reading == "trailing zeros":
        readings = with_fewer_digits(figure)
        return next(reading for reading in readings if reading.low <= found[0].total <= reading.high)
    return figure


def starting_variant(figure: Figure, found: Sequence[Known]) -> Variant:
    """Where to search from: the first variant of the family that has something with this figure, or else of the one with the nearest total."""
    shipped = load_all()
    named = next((quantity.of for quantity in found if quantity.kind != "published"), None)
    nearest = min(shipped, key=lambda variant: abs(math.log(total(variant.spec) / figure.value)))
    like = next((variant for variant in shipped if variant.id == named), nearest)
    return next(variant for variant in shipped if family_of(variant.spec) is family_of(like.spec))


def _readings(figure: Figure) -> Iterator[tuple[Reading, tuple[int, int]]]:
    yield from (("trailing zeros", (fewer.low, fewer.high)) for fewer in with_fewer_digits(figure))
    if (cut := cut_interval(figure)) is not None:
        yield "cut", cut
    if (in_1024 := interval_in_1024(figure)) is not None:
        yield "thousands of 1024", in_1024


def _within(low: int, high: int) -> list[Ranked]:
    totals, found = _quantities()
    return found[bisect_left(totals, low) : bisect_right(totals, high)]


@cache
def _quantities() -> tuple[list[int], list[Ranked]]:
    """Every quantity of every shipped variant, by its total."""
    found = [one for variant in load_all() for one in quantities(variant)]
    found.sort(key=lambda one: one.quantity.total)
    return [one.quantity.total for one in found], found


def quantities(variant: Variant) -> Iterator[Ranked]:
    """What a variant, each of its layers, tensors and parts come to, the first two also by each convention that makes a difference."""
    for selection in selections(variant):
        usual = _count(selection, {})
        if usual:
            yield Ranked(selection.rank, _quantity(variant, selection, usual, {}))
        for counting in _countings(selection) if selection.rank in (_VARIANT, _LAYER) else ():
            total = _count(selection, counting)
            if total not in (0, usual):
                yield Ranked(_CONVENTION, _quantity(variant, selection, total, counting))


def _quantity(variant: Variant, selection: Selection, total: int, counting: Counting) -> Known:
    return Known(
        kind=selection.kind,
        of=variant.id,
        name=selection.name,
        total=total,
        source=variant.summary,
        counting=dict(counting),
    )


def selections(variant: Variant) -> Iterator[Selection]:
    """The whole network, its layers and their tensors, and its parts: encoder, decoder, neighbouring layers, one of several equal shares."""
    rows = layers(variant.spec)
    yield Selection("variant", variant.id, rows, _VARIANT)
    for row in rows:
        yield Selection("layer", row.name, (row,), _LAYER)
        for tensor in row.parameters:
            alone = msgspec.structs.replace(row, parameters=(tensor,), computed=(), buffers=())
            yield Selection("tensor", f"{row.name}.{tensor.name}", (alone,), _TENSOR)
        for name, share in family_of(variant.spec).shares(variant.spec, row).items():
            yield Selection("part", f"{name} of {row.name}", (row,), _PART, share)
    yield from _parts(rows)


def _parts(rows: Sequence[LayerArithmetic]) -> Iterator[Selection]:
    encoder, decoder = [tuple(row for row in rows if row.decoder == part) for part in (False, True)]
    if decoder:
        yield Selection("part", "encoder", encoder, _PART)
        yield Selection("part", "decoder", decoder, _PART)
    for start, end in combinations(range(len(rows) + 1), 2):
        run = tuple(rows[start:end])
        if 1 < len(run) < len(rows) and run not in (encoder, decoder):
            yield Selection("part", f"{run[0].name} {'and' if len(run) == 2 else 'to'} {run[-1].name}", run, _RUN)


def _count(selection: Selection, counting: Counting) -> int:
    return sum(tensor.count for _, tensor in counted(selection.rows, counting)) // selection.share


def _countings(selection: Selection) -> Iterator[Counting]:
    """Each convention alone."""
    for knob, convention in CONVENTIONS.items():
        if knob not in READINGS and convention.applies(selection.rows):
            yield {knob: convention.other}


@cache
def _published() -> tuple[Ranked, ...]:
    """The figures of all shipped claims."""
    return tuple(
        Ranked(
            _VARIANT if claim.layer is None else _LAYER,
            Known(
                kind="published",
                of=claim.about,
                name=claim.id,
                total=claim.figure.value,
                source=f"{claim.source}, {claim.place}",
                counting={},
            ),
        )
        for source in claims_of(())
        for claim in source.claims
        if claim.figure is not None
    )
