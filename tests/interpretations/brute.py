"""The plain product loop: every choice of one value for each knob, built as a network and counted, one after the other.

It shares the arithmetic with the search, but neither its axes nor its tables nor its way of finding partners.
"""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

from capsaudit.catalogue.spaces import Space
from capsaudit.conventions import CONVENTIONS, counted
from capsaudit.families import impossible, layers
from capsaudit.knobs import changed, to_data
from capsaudit.spec import Spec
from capsaudit.validation import faults_of

Change = tuple[str, Any]
"""A knob and its other value."""


def interpretations(space: Space, spec: Spec) -> Iterator[tuple[tuple[Change, ...], int | None]]:
    """The changes of each interpretation and its total, or None where no such network can exist."""
    data = to_data(spec)
    choices = [[None, *((knob.knob, alt.value) for alt in knob.alternatives)] for knob in space.knobs]
    seen = set()
    for chosen in product(*choices):
        made = tuple(change for change in chosen if change is not None and not is_there(data, *change))
        if str(made) in seen or meaningless(made):
            continue
        seen.add(str(made))
        if (found := total(spec, made)) is not NotImplemented:
            yield made, found


def total(spec: Spec, made: tuple[Change, ...]) -> Any:
    """The total; None where it is impossible, NotImplemented where a convention makes no difference to begin with."""
    data = to_data(spec)
    for knob, value in sorted(made, key=lambda change: len(change[0])):
        if knob not in CONVENTIONS:
            data = changed(data, knob, value)
    after, faults = faults_of(data, type(spec))
    assert after is not None, faults
    counting = {knob: value for knob, value in made if knob in CONVENTIONS}
    rows = layers(after)
    if not all(CONVENTIONS[knob].applies(rows) for knob in counting):
        return NotImplemented
    if impossible(after):
        return None
    return sum(tensor.count for _, tensor in counted(rows, counting))


def is_there(data: dict[str, Any], knob: str, value: Any) -> bool:
    if knob in CONVENTIONS:
        return bool(value == CONVENTIONS[knob].usual)
    return bool(as_lists(changed(data, knob, value)) == as_lists(data))


def as_lists(data: object) -> object:
    """Tables as a file has them, which knows no tuples."""
    return json.loads(json.dumps(data))


def meaningless(made: tuple[Change, ...]) -> bool:
    """A table together with a part of it."""
    knobs = [knob for knob, _ in made]
    return any(one.startswith(f"{other}.") for one in knobs for other in knobs)
