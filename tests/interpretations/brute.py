"""The plain product loop: every choice of one value for each knob, built as a network and counted, one after the other.

It shares the arithmetic with the search, but neither its axes nor its tables nor its way of looking up.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

from capsaudit.catalogue.spaces import Space
from capsaudit.conventions import CONVENTIONS, counted
from capsaudit.families import impossible, layers
from capsaudit.knobs import changed, to_data
from capsaudit.spec import Spec
from capsaudit.validation import faults_of

KnobChange = tuple[str, Any]


def interpretations(space: Space, spec: Spec) -> Iterator[tuple[tuple[KnobChange, ...], int | None]]:
    """The changes of each interpretation and its total, or None where no such network can exist."""
    data = to_data(spec)
    choices = [[None, *((knob.knob, alt.value) for alt in knob.alternatives)] for knob in space.knobs]
    seen = set()
    for chosen in product(*choices):
        turned = tuple(turn for turn in chosen if turn is not None and not is_there(data, *turn))
        if str(turned) in seen or meaningless(turned):
            continue
        seen.add(str(turned))
        if (found := total(spec, turned)) is not NotImplemented:
            yield turned, found


def total(spec: Spec, turned: tuple[KnobChange, ...]) -> Any:
    """The total; None where it is impossible, NotImplemented where a convention makes no difference to begin with."""
    data = to_data(spec)
    for knob, value in sorted(turned, key=lambda turn: len(turn[0])):
        if knob not in CONVENTIONS:
            data = changed(data, knob, value)
    after, faults = faults_of(data, type(spec))
    assert after is not None, faults
    counting = {knob: value for knob, value in turned if knob in CONVENTIONS}
    if not all(CONVENTIONS[knob].applies(after) for knob in counting):
        return NotImplemented
    if impossible(after):
        return None
    return sum(count for _, _, count in counted(layers(after), counting))


def is_there(data: dict[str, Any], knob: str, value: Any) -> bool:
    if knob in CONVENTIONS:
        return bool(value == CONVENTIONS[knob].usual)
    return str(changed(data, knob, value)).replace("(", "[").replace(")", "]").replace(",]", "]") == str(data).replace(
        "(", "["
    ).replace(")", "]").replace(",]", "]")


def meaningless(turned: tuple[KnobChange, ...]) -> bool:
    """A table together with a part of it."""
    knobs = [knob for knob, _ in turned]
    return any(one.startswith(f"{other}.") for one in knobs for other in knobs)
