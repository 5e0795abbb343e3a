"""The search for selections of a model's tensors that have a figure, fewest changes first.

Tensors that the conventions treat alike are added up once, so that the number of tensors does not matter to the search.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from capsaudit.errors import CapsauditError
from capsaudit.interpretations.conventions import ModelConvention, conventions_of
from capsaudit.inventory import Counted, Inventory, InventoryTensor, Side
from capsaudit.knobs import KnobChange
from capsaudit.published import Figure, Interval, cut_interval, interval_in_1024, with_fewer_digits
from capsaudit.results.reconcile import ChangeHistogram, evidence_of
from capsaudit.results.reconcile_model import ModelExplanation, SelectionSearch
from capsaudit.selection import SIDES, Roles, Selection, experts, parse_experts, select

CHANGES = 2
"""How many changes are tried by default."""

_MOST = 200_000
"""The most combinations of so many conventions that are tried."""


class Reading(NamedTuple):
    """The counts that a figure stands for when it is read like this."""

    interval: Interval
    changes: tuple[KnobChange, ...] = ()


class Group(NamedTuple):
    """Tensors that all conventions treat alike: bits of the conventions that leave them out or count them alone."""

    left_out: int
    alone: int
    side: Side
    of: int


class Counting(Struct, frozen=True):
    """Conventions together, and what they come to. `counted`: equal where they count the same values in the same way."""

    conventions: tuple[ModelConvention, ...]
    total: int
    counted: object


def explain_by_selections(
    figure: Figure, inventory: Inventory, selection: Selection, roles: Roles, *, changes_at_most: int = CHANGES
) -> SelectionSearch:
    """All selections near this one, at most so many changes away, that have the figure.

    Raises:
        CapsauditError: there are too many.
    """
    chosen = selection.tensors(inventory.tensors, roles)
    conventions = tuple(conventions_of(inventory, selection, chosen))
    countings = _countings(inventory.tensors, chosen, selection, conventions, changes_at_most)
    readings = tuple(_readings(figure))
    histogram = tuple(_histogram(countings, readings, figure, changes_at_most))
    expected = {group.changes: group.expected_by_chance for group in histogram}
    claims = _Claims(selection, inventory.tensors)
    found = [
        ModelExplanation(
            changes=changes,
            total=counting.total,
            rounds_to=figure.round(counting.total),
            is_exact=counting.total == figure.value,
            expected_by_chance=expected[len(changes)],
            evidence=evidence_of(expected[len(changes)]),
            selection=claims.changed(counting.conventions),
        )
        for counting, changes in _fitting(countings, readings, changes_at_most)
    ]
    return SelectionSearch(
        examined=sum(
            len(reading.changes) + len(c.conventions) <= changes_at_most for reading in readings for c in countings
        ),
        changes_at_most=changes_at_most,
        by_changes=histogram,
        explanations=tuple(found),
    )


def _fitting(
    countings: Sequence[Counting], readings: Sequence[Reading], limit: int
) -> list[tuple[Counting, tuple[KnobChange, ...]]]:
    """Countings with all changes that they make, fewest first, then rounded figures; of several readings the first that fits."""
    found: list[tuple[Counting, tuple[KnobChange, ...]]] = []
    for counting in countings:
        made = tuple(convention.change for convention in counting.conventions)
        fitting = (each.changes for each in readings if each.interval[0] <= counting.total <= each.interval[1])
        reading = next(fitting, None)
        if reading is not None and len(made) + len(reading) <= limit:
            found.append((counting, made + reading))
    return sorted(found, key=lambda each: (len(each[1]), len(each[1]) - len(each[0].conventions)))


def _readings(figure: Figure) -> Iterator[Reading]:
    """Rounded, which is no change; cut, with zeros that are not significant, in thousands of 1024."""
    yield Reading((figure.low, figure.high))
    others = [("rounding", "half up", "cut", cut_interval(figure))]
    others += [
        ("trailing_zeros", "significant", "not significant", (fewer.low, fewer.high))
        for fewer in with_fewer_digits(figure)
    ][-1:]
    others.append(("thousands", "1000", "1024", interval_in_1024(figure)))
    for name, before, after, interval in others:
        if interval is not None:
            yield Reading(interval, (KnobChange(knob=f"counting.{name}", before=before, after=after),))


def _countings(
    tensors: Sequence[InventoryTensor],
    chosen: Sequence[InventoryTensor],
    selection: Selection,
    conventions: Sequence[ModelConvention],
    limit: int,
) -> tuple[Counting, ...]:
    """Every combination of conventions that counts other values, and comes to another total, than one with fewer conventions."""
    groups = _groups(tensors, chosen, selection, conventions)
    found: dict[object, Counting] = {}
    totals = {0}
    for size in range(min(limit, len(conventions)) + 1):
        if comb(len(conventions), size) > _MOST:
            raise CapsauditError(f"there are more than {_MOST:,} ways to count it; allow fewer changes (--changes)")
        made = [_counting(groups, selection, each) for each in combinations(enumerate(conventions), size)]
        new = [each for each in made if each is not None and each.total not in totals]
        for each in new:
            found.setdefault(each.counted, each)
        totals |= {each.total for each in new}
    return tuple(found.values())


def _groups(
    tensors: Sequence[InventoryTensor],
    chosen: Sequence[InventoryTensor],
    selection: Selection,
    conventions: Sequence[ModelConvention],
) -> dict[Group, Counter[str]]:
    """The counts of groups of tensors by each policy that is needed."""
    of = experts(tensors)
    policies = {selection.policy, *(each.policy for each in conventions if each.policy)}
    left_out, alone = (_bits([getattr(each, name) for each in conventions]) for name in ("left_out", "alone"))
    groups: dict[Group, Counter[str]] = defaultdict(Counter)
    for tensor in chosen:
        name = tensor.name
        group = groups[Group(left_out.get(name, 0), alone.get(name, 0), tensor.side, of.get(name, 0))]
        for policy in policies:
            group[policy] += tensor.by(policy)
    return groups


def _bits(sets: Sequence[frozenset[str]]) -> dict[str, int]:
    """For each name the numbers of the sets that have it, as bits."""
    bits: dict[str, int] = defaultdict(int)
    for number, names in enumerate(sets):
        for name in names:
            bits[name] |= 1 << number
    return bits


def _counting(
    groups: Mapping[Group, Counter[str]], selection: Selection, numbered: Sequence[tuple[int, ModelConvention]]
) -> Counting | None:
    """What conventions come to together; None where something is both counted in and left out. Of two numbers of experts the first counts, so
    that the second adds nothing. Several submodules are counted together.
    """
    bits, made = sum(1 << number for number, _ in numbered), tuple(convention for _, convention in numbered)
    sides = _sides(selection, made)
    if sides is None:
        return None
    is_alone = any(convention.alone for convention in made)
    policy = next((each.policy for each in made if each.policy), selection.policy)
    text = next((each.experts for each in made if each.experts), selection.experts)
    active, of = parse_experts(text) if text else (1, 1)
    counted = [
        group
        for group in groups
        if groups[group][policy]
        and group.side in sides
        and not group.left_out & bits
        and (group.alone & bits or not is_alone)
    ]
    total = sum(groups[each][policy] * active // of if each.of == of else groups[each][policy] for each in counted)
    return Counting(made, total, (frozenset(counted), policy, text))


def _sides(selection: Selection, made: Sequence[ModelConvention]) -> frozenset[Side] | None:
    """What is counted of trainable, frozen and buffers; None if something is counted in and left out."""
    added = frozenset(side for convention in made for side in convention.added)
    removed = frozenset(side for convention in made for side in convention.removed)
    return None if added & removed else (SIDES[selection.count] | added) - removed


def _histogram(
    countings: Sequence[Counting], readings: Sequence[Reading], figure: Figure, limit: int
) -> Iterator[ChangeHistogram]:
    """Explanations by number of changes, beside how many there would be if totals near the figure were spread evenly.

    Near is between half and double the figure, as in the search of a variant's interpretations.
    """
    low, high = figure.low // 2, figure.high * 2
    near = Counter(len(each.conventions) for each in countings if low <= each.total <= high)
    found = Counter(len(changes) for _, changes in _fitting(countings, readings, limit))
    for made in range(limit + 1):
        chance = sum(
            near[made - len(each.changes)] * (each.interval[1] - each.interval[0] + 1) / (high - low + 1)
            for each in readings
        )
        yield ChangeHistogram(changes=made, found=found[made], expected_by_chance=chance)


class _Claims:
    """Turns conventions into the selection that a claim would state. What they leave out or count alone is put into patterns once."""

    def __init__(self, selection: Selection, tensors: Sequence[InventoryTensor]) -> None:
        self._selection, self._tensors = selection, tensors
        self._there = {tensor.side for tensor in tensors if tensor.count}
        self._sizes = Counter(path for tensor in tensors for path in _paths(tensor))
        self._patterns: dict[frozenset[str], list[str]] = {frozenset(): []}

    def changed(self, made: Sequence[ModelConvention]) -> Selection | None:
        """None where no count has these sides: trainable parameters and buffers, without the frozen ones."""
        selection, sides = self._selection, _sides(self._selection, made) or frozenset()
        names: list[Counted] = [name for name, of in SIDES.items() if of & self._there == sides & self._there]
        if not names:
            return None
        alone = [each.alone for each in made if each.alone]
        left_out = [each.left_out & frozenset().union(*alone) if alone else each.left_out for each in made]
        excluded = (*selection.excluded, *(pattern for each in left_out for pattern in self._patterns_of(each)))
        return replace(
            selection,
            layers=tuple(pattern for each in alone for pattern in self._patterns_of(each)) or selection.layers,
            excluded=tuple(dict.fromkeys(excluded)),
            count=selection.count if selection.count in names else names[0],
            policy=next((each.policy for each in made if each.policy), selection.policy),
            experts=next((each.experts for each in made if each.experts), selection.experts),
        )

    def _patterns_of(self, names: frozenset[str]) -> list[str]:
        if names not in self._patterns:
            self._patterns[names] = list(self._found_patterns(names))
        return self._patterns[names]

    def _found_patterns(self, names: frozenset[str]) -> Iterator[str]:
        """Patterns that select exactly these tensors: the largest modules of which all are among them, with `*` for numbers."""
        chosen = [tensor for tensor in self._tensors if tensor.name in names]
        inside = Counter(path for tensor in chosen for path in _paths(tensor))
        grouped: dict[str, dict[str, None]] = defaultdict(dict)
        for tensor in chosen:
            whole = next((path for path in _paths(tensor) if inside[path] == self._sizes[path]), tensor.name)
            grouped[".".join("*" if part.isdecimal() else part for part in whole.split("."))][whole] = None
        for starred, exact in grouped.items():
            is_exact = {t.name for t in select(self._tensors, starred, {})} <= names
            yield from [starred] if is_exact else exact


def _paths(tensor: InventoryTensor) -> Iterator[str]:
    """The paths of the modules that contain a tensor, the largest first."""
    parts = tensor.layer.split(".") if tensor.layer else []
    return (".".join(parts[: depth + 1]) for depth in range(len(parts)))
