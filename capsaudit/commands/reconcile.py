"""reconcile: all interpretations of a network that agree with a figure, and how much evidence each is."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, zip_longest

import msgspec
from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.catalogue.spaces import Space
from capsaudit.conventions import PREFIX, ROUNDING, counted
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of, impossible, layers, total
from capsaudit.interpretations.axes import Axis, applied, axes, readings
from capsaudit.interpretations.search import Interpretation, Interval, Search, Watcher
from capsaudit.interpretations.tables import tables
from capsaudit.knobs import KnobChange, counted_changes
from capsaudit.published import Figure, cut_interval, interval_in_1024, judge
from capsaudit.results import ChangeHistogram, Explanation, Known, Reconciliation
from capsaudit.results.reconcile import evidence_of
from capsaudit.spec import Spec
from capsaudit.witnesses import expect_witnesses

Confirm = Callable[[Spec, Sequence[KnobChange], int], bool | None]
"""Whether another witness comes to the same total for the network that these changes make of a spec; None where none was asked."""

_NEAR = 0.1
"""How far a total may be from the figure, as a share of it, to be shown as near."""


class Rounding(Struct, frozen=True):
    """A way to print a total: rounded, which is no change; cut, or in thousands of 1024, each of which is one."""

    interval: Interval
    changes: tuple[KnobChange, ...]


def reconcile(
    figure: Figure,
    start: Variant,
    space: Space,
    shipped: Sequence[Variant],
    *,
    known: Sequence[Known] = (),
    changes_at_most: int | None = None,
    top: int = 10,
    confirm: Confirm = lambda *_: None,
    watch: Watcher = lambda *_: None,
) -> Reconciliation:
    """Search the whole space around `start` for interpretations that agree with the figure.

    `known`: what has the figure without a search. `top`: how many explanations are listed; all are counted. `confirm` counts the listed ones
    in another way.

    Raises:
        CapsauditError: the space does not fit the variant, or is too large; fewer than one change allowed or explanation asked for.
    """
    if (changes_at_most is not None and changes_at_most < 1) or top < 1:
        raise CapsauditError(
            "--changes and --top: expected at least 1; without any change there is only the variant itself"
        )
    around = axes(space, start)
    search = Search(tables(start.spec, around), watch)
    roundings = tuple(_roundings(figure, space))
    by_changes = tuple(_histogram(search, roundings, figure, changes_at_most))
    explainer = _Explainer(figure, start, shipped, confirm, by_changes)
    found = sum(group.found for group in by_changes)
    explanations = tuple(_mark_redundant(map(explainer.explain, _first(search, roundings, by_changes, top))))
    below, above = (None, None) if found else map(_if_near(figure), _nearest(search, roundings, changes_at_most))
    space_size, _ = _sizes(search, roundings, None)
    examined, possible = _sizes(search, roundings, changes_at_most)
    return Reconciliation(
        figure=figure.text,
        read_as=figure.reading,
        known=tuple(known),
        interval=(figure.low, figure.high),
        start=start.id,
        start_total=total(start.spec),
        space=space.label,
        space_size=space_size,
        examined=examined,
        impossible=examined - possible,
        complete=True,
        changes_at_most=changes_at_most,
        found=found,
        by_changes=by_changes,
        explanations=explanations,
        shipped=tuple(explainer.explain_elsewhere(around, explanations, roundings)),
        below=explainer.explain(below) if below else None,
        above=explainer.explain(above) if above else None,
    )


def confirm_by(witnesses: Sequence[str]) -> Confirm:
    """The confirmation that these witnesses allow; torch is imported with the first explanation."""
    expect_witnesses(witnesses)
    return torch_confirms if "torch" in witnesses else lambda *_: None


def torch_confirms(start: Spec, changes: Sequence[KnobChange], total: int) -> bool:
    """The torch witness of an explanation; torch is imported with the first."""
    from capsaudit.commands.confirm import confirm

    return confirm(start, changes, total)


def _roundings(figure: Figure, space: Space) -> Iterator[Rounding]:
    yield Rounding((figure.low, figure.high), ())
    for change in readings(space):
        interval = cut_interval(figure) if change.knob == ROUNDING else interval_in_1024(figure)
        if interval is not None and interval[1] > figure.high:
            yield Rounding((max(interval[0], figure.high + 1), interval[1]), (change,))


def _histogram(
    search: Search, roundings: Sequence[Rounding], figure: Figure, limit: int | None
) -> Iterator[ChangeHistogram]:
    """Explanations by number of changes, beside how many there would be if totals near the figure were spread evenly.

    Near is between half and double the figure; the density of totals there, times the width of the figure's interval, is what
    chance would give.
    """
    window = (figure.low // 2, figure.high * 2)
    found = _added(roundings, [search.by_changes(each.interval).tolist() for each in roundings], [1.0] * len(roundings))
    near = [search.by_changes(window).tolist()] * len(roundings)
    shares = [(each.interval[1] - each.interval[0] + 1) / (window[1] - window[0] + 1) for each in roundings]
    expected = _added(roundings, near, shares)
    for made, (count, chance) in enumerate(zip_longest(found, expected, fillvalue=0.0)):
        if (count or chance) and (limit is None or made <= limit):
            yield ChangeHistogram(changes=made, found=round(count), expected_by_chance=float(chance))


def _added(roundings: Sequence[Rounding], counts: Sequence[Sequence[int]], shares: Sequence[float]) -> list[float]:
    """Histograms added, each shifted by the changes that its rounding makes."""
    totals: list[float] = []
    for rounding, histogram, share in zip(roundings, counts, shares, strict=True):
        shifted = [0.0] * len(rounding.changes) + [count * share for count in histogram]
        totals = [sum(pair) for pair in zip_longest(totals, shifted, fillvalue=0.0)]
    return totals


def _first(
    search: Search, roundings: Sequence[Rounding], by_changes: Sequence[ChangeHistogram], top: int
) -> list[Interpretation]:
    """The first `top` explanations, those with the fewest changes first."""
    enough, limit = 0, 0
    for group in by_changes:
        if enough >= top:
            break
        enough, limit = enough + group.found, group.changes
    return heapq.nsmallest(top, _within(search, roundings, limit), key=_rank)


def _within(search: Search, roundings: Sequence[Rounding], limit: int) -> Iterator[Interpretation]:
    for rounding in roundings:
        if limit >= len(rounding.changes):
            for found in search.within(rounding.interval, changes=limit - len(rounding.changes)):
                yield Interpretation(found.changes + rounding.changes, found.total)


def _rank(found: Interpretation) -> tuple[int, int, int, str]:
    """Fewest changes, then the lowest assumption cost, then changes of the network before conventions."""
    conventions = sum(change.knob.startswith(PREFIX) for change in found.changes)
    made = str([(change.knob, change.after) for change in found.changes])
    return len(found.changes), found.assumption_cost, conventions, made


def _sizes(search: Search, roundings: Sequence[Rounding], limit: int | None) -> tuple[int, int]:
    """Interpretations within the limit, and those of them that can exist."""
    pairs = [search.sizes(changes=None if limit is None else limit - len(each.changes)) for each in roundings]
    return sum(every for every, _ in pairs), sum(possible for _, possible in pairs)


def _nearest(
    search: Search, roundings: Sequence[Rounding], limit: int | None
) -> tuple[Interpretation | None, Interpretation | None]:
    """The plainest interpretation with the nearest total from below, and from above."""
    below, above = search.nearest(roundings[0].interval, changes=limit)
    return _plainest(search, below, limit), _plainest(search, above, limit)


def _if_near(figure: Figure) -> Callable[[Interpretation | None], Interpretation | None]:
    """What is further away than a tenth explains nothing."""
    return lambda found: found if found and abs(found.total - figure.value) <= _NEAR * figure.value else None


def _plainest(search: Search, total: int | None, limit: int | None) -> Interpretation | None:
    if total is None:
        return None
    fewest = next(made for made, count in enumerate(search.by_changes((total, total))) if count)
    return min(search.within((total, total), changes=fewest if limit is None else min(fewest, limit)), key=_rank)


class _Explainer:
    """Turns interpretations into explanations."""

    def __init__(
        self,
        figure: Figure,
        start: Variant,
        shipped: Sequence[Variant],
        confirm: Confirm,
        by_changes: Sequence[ChangeHistogram],
    ) -> None:
        self._figure, self._start, self._confirm = figure, start, confirm
        self._relatives = [variant for variant in shipped if family_of(variant.spec) is family_of(start.spec)]
        self._expected = {group.changes: group.expected_by_chance for group in by_changes}

    def explain(self, found: Interpretation) -> Explanation:
        """An explanation with its evidence, confirmed and named."""
        spec, counting = applied(self._start.spec, found.changes)
        return Explanation(
            changes=found.changes,
            total=found.total,
            rounds_to=self._figure.round(found.total),
            assumption_cost=found.assumption_cost,
            evidence=evidence_of(self._expected.get(len(found.changes), 0.0)),
            variant=None if counting else self._named(spec),
            confirmed=self._confirm(self._start.spec, found.changes, found.total),
        )

    def explain_elsewhere(
        self, around: Sequence[Axis], listed: Sequence[Explanation], roundings: Sequence[Rounding]
    ) -> Iterator[Explanation]:
        """The explanations of these. Their evidence is the same as if the list were long enough to hold them."""
        for found in self.shipped_elsewhere(around, listed):
            redundant = any(
                self._agrees(fewer, roundings)
                for size in range(1, len(found.changes))
                for fewer in combinations(found.changes, size)
            )
            explanation = self.explain(found)
            yield msgspec.structs.replace(explanation, evidence="redundant") if redundant else explanation

    def _agrees(self, changes: Sequence[KnobChange], roundings: Sequence[Rounding]) -> bool:
        spec, counting = applied(self._start.spec, changes)
        if impossible(spec) is not None:
            return False
        reached = sum(tensor.count for _, tensor in counted(layers(spec), counting))
        return any(low <= reached <= high for (low, high) in (each.interval for each in roundings if not each.changes))

    def shipped_elsewhere(self, around: Sequence[Axis], listed: Sequence[Explanation]) -> Iterator[Interpretation]:
        """Shipped variants that agree with the figure and are in the space, but not among those listed."""
        changes = {(c.knob, str(c.after)): c for axis in around for option in axis.options for c in option}
        shown = {explanation.variant for explanation in listed}
        for variant in self._relatives:
            reached = total(variant.spec)
            if variant.id in shown or judge(self._figure, reached) != "agrees":
                continue
            made = counted_changes(self._start.spec, variant.spec)
            found = [changes.get((change.knob, str(change.after))) for change in made]
            if all(found):
                yield Interpretation(tuple(change for change in found if change), reached)

    def _named(self, spec: Spec) -> str | None:
        """The shipped variant that is exactly this network, as far as any count can say."""
        return next((v.id for v in self._relatives if not counted_changes(spec, v.spec)), None)


def _mark_redundant(explanations: Iterable[Explanation]) -> Iterator[Explanation]:
    """An explanation that makes all changes of an earlier one and more is no further evidence."""
    earlier: list[set[str]] = []
    for explanation in explanations:
        made = {f"{change.knob}={change.after}" for change in explanation.changes}
        redundant = any(fewer and fewer < made for fewer in earlier)
        yield msgspec.structs.replace(explanation, evidence="redundant") if redundant else explanation
        earlier.append(made)
