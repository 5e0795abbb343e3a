"""A space around a variant: independent axes of options, each option the changes that it makes.

Knobs that cannot be changed independently share an axis, whose options are the combinations that make sense: a decoder that is not
there has no widths, and nothing frozen can be counted in where nothing is frozen. So every choice of one option from each axis is an
interpretation, and no two choices are the same one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import product

import msgspec
from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.catalogue.spaces import Knob, Space
from capsaudit.conventions import CONVENTIONS, PREFIX, READINGS
from capsaudit.errors import CapsauditError, FileError
from capsaudit.families import family_of, layers
from capsaudit.knobs import IMAGE_SIZE, KnobChange, changed, known_knobs, to_data
from capsaudit.spec import Data, Spec, Value
from capsaudit.validation import faults_of, nearest

LARGEST_AXIS = 100_000

Option = tuple[KnobChange, ...]
"""The changes that an option makes; the first option of each axis makes none."""


class Axis(Struct, frozen=True):
    """Options of which exactly one is chosen."""

    knobs: tuple[str, ...]
    options: tuple[Option, ...]

    def __len__(self) -> int:
        return len(self.options)


def axes(space: Space, start: Variant) -> tuple[Axis, ...]:
    """The axes of `space` around `start`. How a figure is printed is none of them: it changes no count.

    Raises:
        CapsauditError: the space is about another family.
        FileError: knobs that this variant does not have, and values that they cannot take.
    """
    if space.family != family_of(start.spec).name:
        raise CapsauditError(
            f"{space.label} is a space of the family {space.family!r}, and {start.id} is a {family_of(start.spec).name!r}; "
            f"give another one with --space"
        )
    data = to_data(start.spec)
    _expect_possible(space, start, data)
    present = [knob for knob in space.knobs if knob.knob not in READINGS and not _absent(knob.knob, data)]
    changes = {knob.knob: _changes(knob, data) for knob in present}
    groups = _grouped([knob for knob, found in changes.items() if found])
    return tuple(axis for group in groups if len(axis := _axis(group, changes, start.spec)) > 1)


def readings(space: Space) -> Iterator[KnobChange]:
    """The other ways to print a figure that the space has: cut instead of rounded, in thousands of 1024."""
    for knob in space.knobs:
        if knob.knob in READINGS:
            yield from _changes(knob, {})


def size(axes: Sequence[Axis]) -> int:
    """How many interpretations there are."""
    return math.prod(map(len, axes))


def applied(spec: Spec, changes: Sequence[KnobChange]) -> tuple[Spec, dict[str, str]]:
    """The network that these changes make of `spec`, and the conventions by which it is counted."""
    data = reduce(lambda data, change: changed(data, change.knob, change.after), _of_network(changes), to_data(spec))
    after, faults = faults_of(data, type(spec))
    if after is None:
        raise ValueError(faults)
    return after, {change.knob: change.after for change in changes if change.knob.startswith(PREFIX)}


def _of_network(changes: Sequence[KnobChange]) -> list[KnobChange]:
    """A whole table before its parts."""
    return sorted(
        (change for change in changes if not change.knob.startswith(PREFIX)), key=lambda change: len(change.knob)
    )


def _changes(knob: Knob, data: Data) -> tuple[KnobChange, ...]:
    """The changes that a knob's alternatives make; what is there already is no change."""
    before = _value(data, knob.knob)
    return tuple(
        KnobChange(
            knob=knob.knob,
            before=before,
            after=alt.value,
            assumption_cost=alt.assumption_cost,
            source=alt.source,
            same_count=alt.same_count,
        )
        for alt in knob.alternatives
        if alt.value != before
    )


def _value(data: Data, knob: str) -> Value:
    if knob in CONVENTIONS:
        return CONVENTIONS[knob].usual
    if knob == IMAGE_SIZE:
        height, width = data["image"]["height"], data["image"]["width"]
        return height if height == width else [height, width]
    value: Value = data
    for part in knob.split("."):
        if not isinstance(value, dict | list | tuple):
            return None
        value = value[int(part) - 1] if isinstance(value, list | tuple) else value[part]
    return msgspec.json.decode(msgspec.json.encode(value))  # with lists, as in a file


def _grouped(knobs: Sequence[str]) -> list[list[str]]:
    """Knobs that cannot be changed independently, together."""
    groups: list[list[str]] = []
    for knob in knobs:
        overlapping = [group for group in groups if any(_interact(knob, other) for other in group)]
        groups = [group for group in groups if group not in overlapping]
        groups.append([*(other for group in overlapping for other in group), knob])
    return groups


def _interact(one: str, other: str) -> bool:
    """Whether one is a part of the other, or a convention about something that the other can remove."""
    about, other_about = (CONVENTIONS[knob].about or knob if knob in CONVENTIONS else knob for knob in (one, other))
    holds = one not in CONVENTIONS and other_about.startswith(f"{about}.")
    is_held = other not in CONVENTIONS and about.startswith(f"{other_about}.")
    return about == other_about or holds or is_held


def _axis(group: Sequence[str], changes: Mapping[str, tuple[KnobChange, ...]], spec: Spec) -> Axis:
    if math.prod(1 + len(changes[knob]) for knob in group) > LARGEST_AXIS:
        raise CapsauditError(
            f"{', '.join(group)} depend on each other and have more than {LARGEST_AXIS:,} combinations; list fewer alternatives"
        )
    choices = product(*(((), *((change,) for change in changes[knob])) for knob in group))
    options = (tuple(change for choice in chosen for change in choice) for chosen in choices)
    return Axis(tuple(group), tuple(option for option in options if _makes_sense(option, spec)))


def _makes_sense(option: Option, spec: Spec) -> bool:
    """Not both a table and a part of it; a convention only where it makes a difference."""
    knobs = [change.knob for change in option]
    if any(a.startswith(f"{b}.") for a in knobs for b in knobs):
        return False
    after, counting = applied(spec, option)
    rows = layers(after) if counting else ()
    return all(CONVENTIONS[knob].applies(rows) for knob in counting)


def _expect_possible(space: Space, start: Variant, data: Data) -> None:
    """Report everything that is wrong with a space for this variant at once."""
    known = known_knobs(data) | CONVENTIONS.keys()
    faults = []
    for knob in space.knobs:
        if knob.knob.startswith(PREFIX) or _absent(knob.knob, data):
            continue
        if knob.knob not in known:
            faults.append(f"{space.label}: there is no knob {knob.knob!r} in {start.id}; {nearest(knob.knob, known)}")
            continue
        for alternative in knob.alternatives:
            _, found = faults_of(changed(data, knob.knob, alternative.value), type(start.spec))
            faults += [f"{space.label}: {fault.path} {fault.message}" for fault in found]
    faults += _set_twice(space)
    if faults:
        raise FileError(*dict.fromkeys(faults))


def _absent(knob: str, data: Data) -> bool:
    """Part of a table that this network does not have, as the decoder of `paper-no-decoder`."""
    return "." in knob and data.get(knob.partition(".")[0]) == "none"


def _set_twice(space: Space) -> Iterator[str]:
    """Sides of the image that are changed both together and by themselves."""
    knobs = {knob.knob for knob in space.knobs}
    if IMAGE_SIZE in knobs:
        for side in sorted(knobs & {"image", "image.height", "image.width"}):
            yield f"{space.label}: {side} and {IMAGE_SIZE} set the same values; keep one of them"
