"""Knobs by name: `digit_caps.logits` is one setting of a spec, `layers.1.kernel` that of the first layer in a list.

>>> data = {"image": {"height": 28}, "layers": [{"kernel": 5}]}
>>> flatten(data)
{'image.height': 28, 'layers.1.kernel': 5}
>>> flatten(changed(data, "layers.1.kernel", 9))
{'image.height': 28, 'layers.1.kernel': 9}
"""

from __future__ import annotations

import tomllib

import msgspec
from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.families import UNCOUNTED_KNOBS, family_of
from capsaudit.spec import Data, Spec, Value

IMAGE_SIZE = "image.size"
"""Height and width of a square image, changed as one knob."""


class KnobChange(Struct, frozen=True, kw_only=True):
    """A knob that one network sets otherwise than another.

    `assumption_cost`: how much the changed value asks a reader to assume, from 0. `source`: where the value comes from. `same_count`:
    another way to change the network that always gives the same count.
    """

    knob: str
    before: Value = msgspec.field(name="from")
    after: Value = msgspec.field(name="to")
    assumption_cost: int = 0
    source: str | None = None
    same_count: str | None = None


def to_data(spec: Spec) -> Data:
    """A spec as the plain tables of a variant file; a network without a decoder has `"none"`."""
    data: Data = msgspec.to_builtins(spec)
    return {name: "none" if value is None else value for name, value in data.items()}


def flatten(data: Value, prefix: str = "") -> Data:
    """Tables as one flat dict of knobs."""
    if isinstance(data, dict):
        items = list(data.items())
    elif isinstance(data, list | tuple) and data and isinstance(data[0], dict):
        items = [(str(number), item) for number, item in enumerate(data, start=1)]
    else:
        return {prefix: list(data) if isinstance(data, tuple) else data}
    flat: Data = {}
    for name, value in items:
        flat |= flatten(value, f"{prefix}.{name}" if prefix else name)
    return flat


def changed(data: Data, knob: str, value: object) -> Data:
    """A copy of `data` in which one knob has another value; `image.size` sets height and width."""
    if knob == IMAGE_SIZE:
        height, width = value if isinstance(value, list | tuple) and len(value) == 2 else (value, value)
        return changed(changed(data, "image.height", height), "image.width", width)
    head, _, rest = knob.partition(".")
    return data | {head: _changed_within(data.get(head), rest, value) if rest else value}


def merged(parent: Data, child: Data) -> Data:
    """Tables merged knob by knob; any other value of the child replaces the parent's.

    >>> merged({"conv1": {"kernel": 9, "stride": 1}, "decoder": {"input": "masked"}}, {"conv1": {"kernel": 5}, "decoder": "none"})
    {'conv1': {'kernel': 5, 'stride': 1}, 'decoder': 'none'}
    """
    both = dict(parent)
    for key, value in child.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def changes(before: Spec, after: Spec) -> tuple[KnobChange, ...]:
    """The knobs in which two specs differ. A family, a list of layers or a decoder that only one of them has is one knob, and so
    are the two sides of a square image.
    """
    old, new = family_of(before).name, family_of(after).name
    if old == new:
        return tuple(_differing(to_data(before), to_data(after)))
    images = {"image": to_data(before)["image"]}, {"image": to_data(after)["image"]}
    return (*_differing(*images), KnobChange(knob="family", before=old, after=new))


def counted_changes(before: Spec, after: Spec) -> tuple[KnobChange, ...]:
    """The same without knobs that no count and no shape depends on."""
    return tuple(change for change in changes(before, after) if change.knob not in UNCOUNTED_KNOBS)


def parse_setting(text: str, option: str = "--set") -> tuple[str, object]:
    """`knob.path=value` from the command line. The value is read as TOML, a bare word as a text, `512,1024` as a list.

    >>> parse_setting("image.height=36"), parse_setting("decoder=none"), parse_setting("decoder.hidden=512,1024")
    (('image.height', 36), ('decoder', 'none'), ('decoder.hidden', [512, 1024]))

    Raises:
        CapsauditError: there is no `=`, or more than one value.
    """
    knob, equals, value = text.partition("=")
    given = f"{option} {text if text.isprintable() else repr(text)}"
    if not equals or not knob.strip():
        raise CapsauditError(f"{given}: expected knob.path=value, such as image.height=36")
    for toml in (value, f"[{value}]" if "," in value else value):
        try:
            table = tomllib.loads(f"value = {toml}")
        except (ValueError, RecursionError):
            continue
        if len(table) > 1:
            raise CapsauditError(f"{given}: expected one value; it is followed by {', '.join([*table][1:])}")
        return knob.strip(), table["value"]
    return knob.strip(), value.strip()


def known_knobs(data: Data) -> set[str]:
    """Every name that can be set: single knobs, and the tables that contain them."""
    knobs = set(flatten(data))
    tables = {knob[:dot] for knob in knobs for dot, letter in enumerate(knob) if letter == "."}
    return knobs | tables | {IMAGE_SIZE}


def _changed_within(data: object, knob: str, value: object) -> object:
    if not isinstance(data, list | tuple):
        return changed(data if isinstance(data, dict) else {}, knob, value)
    number, _, rest = knob.partition(".")
    if not number.isdecimal() or not 1 <= int(number) <= len(data):
        raise CapsauditError(f"there is no item {number!r} in a list of {len(data)}; items are numbered from 1")
    item = data[int(number) - 1]
    new = changed(item, rest, value) if rest and isinstance(item, dict) else value
    return [*data[: int(number) - 1], new, *data[int(number) :]]


def _differing(before: Data, after: Data) -> list[KnobChange]:
    old, new = _comparable(before, after)
    found = [
        KnobChange(knob=knob, before=old.get(knob), after=value)
        for knob, value in new.items()
        if old.get(knob) != value
    ]
    return _join_image_size(found)


def _comparable(old: Data, new: Data) -> tuple[Data, Data]:
    """Flat knobs of both; what only one of the two has as a table, or at another length, stays whole."""
    flat_old: Data = {}
    flat_new: Data = {}
    for name in new:
        whole = type(old[name]) is not type(new[name]) or (
            isinstance(new[name], list | tuple) and len(old[name]) != len(new[name])
        )
        flat_old |= {name: old[name]} if whole else flatten(old[name], name)
        flat_new |= {name: new[name]} if whole else flatten(new[name], name)
    return flat_old, flat_new


def _join_image_size(found: list[KnobChange]) -> list[KnobChange]:
    sides = [change for change in found if change.knob in ("image.height", "image.width")]
    if len(sides) != 2 or sides[0].before != sides[1].before or sides[0].after != sides[1].after:
        return found
    joined = KnobChange(knob=IMAGE_SIZE, before=sides[0].before, after=sides[0].after)
    return [joined if change is sides[0] else change for change in found if change is not sides[1]]
