"""reconcile: which interpretations of a network print as a figure, all of them, and how much that says."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

import msgspec
from msgspec import Struct

from capsaudit.arithmetic import total
from capsaudit.catalogue import Variant
from capsaudit.catalogue.spaces import Alternative, Space
from capsaudit.conventions import CONVENTIONS, PREFIX, ROUNDING
from capsaudit.errors import CapsauditError
from capsaudit.interpretations.axes import Axis, applied, axes, cutting
from capsaudit.interpretations.search import Found, Interval, Search, Watcher
from capsaudit.interpretations.tables import tables
from capsaudit.knobs import NEUTRAL, changes
from capsaudit.published import Figure
from capsaudit.results import (
    CHANCE_WOULD_DO,
    MAY_BE_CHANCE,
    MORE_THAN_NEEDED,
    TELLING,
    Explanation,
    OfSoManyChanges,
    Reconciliation,
    Turned,
)
from capsaudit.spec import Spec, family

Confirm = Callable[[Spec, Sequence[Turned], int], bool | None]
"""Whether another witness comes to the same total for the network that these changes make of a spec; None where none was asked."""

_RARE, _LIKELY = 0.1, 1.0
"""How many explanations chance would give, below which one is telling, and from which on chance would do."""


class Way(Struct, frozen=True):
    """A way to print a total: rounded, which is no change, or cut off, which is one."""

    interval: Interval
    turns: tuple[Turned, ...]


def reconcile(
    figure: Figure,
    start: Variant,
    space: Space,
    shipped: Sequence[Variant],
    *,
    changes_at_most: int | None = None,
    top: int = 10,
    confirm: Confirm = lambda *_: None,
    watch: Watcher = lambda *_: None,
) -> Reconciliation:
    """Search the whole space around `start` for interpretations that print as the figure.

    `top`: how many explanations are told; all are counted. `confirm` counts the told ones by another road.

    Raises:
        CapsauditError: the space does not fit the variant, or is too large; fewer than one change allowed or explanation asked for.
    """
    if (changes_at_most is not None and changes_at_most < 1) or top < 1:
        raise CapsauditError(
            "--changes and --top: expected at least 1; without any change there is only the variant itself"
        )
    turned = axes(space, start)
    search = Search(tables(start.spec, turned), watch)
    ways = tuple(_ways(figure, space))
    by_changes = tuple(_counted(search, ways, figure, changes_at_most))
    tell = _Teller(figure, start, shipped, confirm, by_changes)
    found = sum(group.found for group in by_changes)
    explanations = tuple(_weighed(map(tell.told, _first(search, ways, by_changes, top))))
    below, above = (None, None) if found else _nearest(search, ways, changes_at_most)
    holds, _ = _sizes(search, ways, None)
    examined, possible = _sizes(search, ways, changes_at_most)
    return Reconciliation(
        figure=figure.text,
        interval=(figure.low, figure.high),
        start=start.id,
        start_total=total(start.spec),
        space=space.label,
        holds=holds,
        examined=examined,
        impossible=examined - possible,
        complete=True,
        changes_at_most=changes_at_most,
        found=found,
        by_changes=by_changes,
        explanations=explanations,
        shipped=tuple(map(tell.told, tell.shipped_elsewhere(turned, explanations))),
        below=tell.told(below) if below else None,
        above=tell.told(above) if above else None,
    )


def _ways(figure: Figure, space: Space) -> Iterator[Way]:
    yield Way((figure.low, figure.high), ())
    if (cut := cutting(space)) and figure.unit > 1:
        beyond = (figure.high + 1, figure.digits * figure.unit + figure.unit - 1)
        yield Way(beyond, (_cut(cut),))


def _cut(cut: Alternative) -> Turned:
    usual = CONVENTIONS[ROUNDING].usual
    return Turned(knob=ROUNDING, before=usual, after=cut.value, far_fetched=cut.far_fetched, source=cut.source)


def _counted(search: Search, ways: Sequence[Way], figure: Figure, limit: int | None) -> Iterator[OfSoManyChanges]:
    """Explanations by number of changes, beside how many there would be if totals near the figure fell anywhere there.

    Near is between half and double the figure; the density of totals there, times the width of the figure's interval, is what
    chance would give.
    """
    window = (figure.low // 2, figure.high * 2)
    found = _over_ways(ways, [search.by_changes(way.interval).tolist() for way in ways], [1.0] * len(ways))
    near = [search.by_changes(window).tolist()] * len(ways)
    shares = [(way.interval[1] - way.interval[0] + 1) / (window[1] - window[0] + 1) for way in ways]
    expected = _over_ways(ways, near, shares)
    for made, (count, chance) in enumerate(zip_longest(found, expected, fillvalue=0.0)):
        if (count or chance) and (limit is None or made <= limit):
            yield OfSoManyChanges(changes=made, found=round(count), expected_by_chance=float(chance))


def _over_ways(ways: Sequence[Way], counts: Sequence[Sequence[int]], shares: Sequence[float]) -> list[float]:
    """Histograms added, each moved up by the changes that its way makes."""
    totals: list[float] = []
    for way, histogram, share in zip(ways, counts, shares, strict=True):
        moved = [0.0] * len(way.turns) + [count * share for count in histogram]
        totals = [sum(pair) for pair in zip_longest(totals, moved, fillvalue=0.0)]
    return totals


def _first(search: Search, ways: Sequence[Way], by_changes: Sequence[OfSoManyChanges], top: int) -> list[Found]:
    """The first `top` explanations, those with the fewest changes first."""
    enough, limit = 0, 0
    for group in by_changes:
        if enough >= top:
            break
        enough, limit = enough + group.found, group.changes
    return heapq.nsmallest(top, _within(search, ways, limit), key=_rank)


def _within(search: Search, ways: Sequence[Way], limit: int) -> Iterator[Found]:
    for way in ways:
        if limit >= len(way.turns):
            for found in search.within(way.interval, changes=limit - len(way.turns)):
                yield Found(found.turns + way.turns, found.total)


def _rank(found: Found) -> tuple[int, int, int, str]:
    """Fewest changes, then the least far-fetched, then those of the network before those of the count."""
    conventions = sum(turn.knob.startswith(PREFIX) for turn in found.turns)
    return len(found.turns), found.far_fetched, conventions, str([(turn.knob, turn.after) for turn in found.turns])


def _sizes(search: Search, ways: Sequence[Way], limit: int | None) -> tuple[int, int]:
    """Interpretations within the limit, and those of them that can exist."""
    pairs = [search.sizes(changes=None if limit is None else limit - len(way.turns)) for way in ways]
    return sum(every for every, _ in pairs), sum(possible for _, possible in pairs)


def _nearest(search: Search, ways: Sequence[Way], limit: int | None) -> tuple[Found | None, Found | None]:
    """The plainest interpretation with the nearest total from below, and from above."""
    totals = search.nearest(ways[0].interval, changes=limit)
    return tuple(None if total is None else _plainest(search, total, limit) for total in totals)  # type: ignore[return-value]


def _plainest(search: Search, total: int, limit: int | None) -> Found:
    fewest = next(made for made, count in enumerate(search.by_changes((total, total))) if count)
    return min(search.within((total, total), changes=fewest if limit is None else min(fewest, limit)), key=_rank)


class _Teller:
    """Turns what was found into what is told."""

    def __init__(
        self,
        figure: Figure,
        start: Variant,
        shipped: Sequence[Variant],
        confirm: Confirm,
        by_changes: Sequence[OfSoManyChanges],
    ) -> None:
        self._figure, self._start, self._confirm = figure, start, confirm
        self._relatives = [variant for variant in shipped if family(variant.spec) == family(start.spec)]
        self._expected = {group.changes: group.expected_by_chance for group in by_changes}

    def told(self, found: Found) -> Explanation:
        """An explanation, confirmed, weighed and named."""
        spec, counting = applied(self._start.spec, found.turns)
        return Explanation(
            changes=found.turns,
            total=found.total,
            prints_as=self._figure.prints(found.total),
            far_fetched=found.far_fetched,
            weight=_weight(self._expected.get(len(found.turns), 0.0)),
            variant=None if counting else self._named(spec),
            confirmed=self._confirm(self._start.spec, found.turns, found.total),
        )

    def shipped_elsewhere(self, turned: Sequence[Axis], told: Sequence[Explanation]) -> Iterator[Found]:
        """Shipped variants that print as the figure and are in the space, but behind what is told."""
        turns = {(t.knob, str(t.after)): t for axis in turned for option in axis.options for t in option}
        shown = {explanation.variant for explanation in told}
        for variant in self._relatives:
            reached = total(variant.spec)
            if variant.id in shown or not self._figure.agrees_with(reached):
                continue
            made = [change for change in changes(self._start.spec, variant.spec) if change.knob not in NEUTRAL]
            found = [turns.get((change.knob, str(change.after))) for change in made]
            if all(found):
                yield Found(tuple(turn for turn in found if turn), reached)

    def _named(self, spec: Spec) -> str | None:
        """The shipped variant that is just this network, as far as any count can tell."""
        same = (v.id for v in self._relatives if all(change.knob in NEUTRAL for change in changes(spec, v.spec)))
        return next(same, None)


def _weighed(explanations: Iterable[Explanation]) -> Iterator[Explanation]:
    """An explanation that makes all changes of an earlier one and more has no weight of its own."""
    earlier: list[set[str]] = []
    for explanation in explanations:
        made = {f"{change.knob}={change.after}" for change in explanation.changes}
        needless = any(less and less < made for less in earlier)
        yield msgspec.structs.replace(explanation, weight=MORE_THAN_NEEDED) if needless else explanation
        earlier.append(made)


def _weight(expected: float) -> str:
    if expected >= _LIKELY:
        return CHANCE_WOULD_DO
    return MAY_BE_CHANCE if expected >= _RARE else TELLING
