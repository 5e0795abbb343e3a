"""Random small spaces around random small networks."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from capsaudit.catalogue import Variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space
from capsaudit.conventions import CONVENTIONS, READINGS
from capsaudit.families import FAMILIES, family_of
from capsaudit.families.baseline import Baseline
from capsaudit.families.capsnet import CapsNet
from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.spec import Spec
from tests.strategies import PADDING, specs

SMALL = st.integers(1, 4)
SIDES: dict[str, st.SearchStrategy[Any]] = {"image.height": st.integers(3, 12), "image.width": st.integers(3, 12)}
"""Knobs that no space may have beside `image.size`, which sets both."""
SHARED: dict[str, st.SearchStrategy[Any]] = {
    "image.size": st.integers(3, 12),
    "image.channels": SMALL,
    "counting.biases": st.just("left out"),
    "counting.running_statistics": st.just("counted"),
}
CAPSNET = SHARED | {
    "conv1.channels": SMALL,
    "conv1.kernel": SMALL,
    "conv1.stride": SMALL,
    "conv1.padding": PADDING,
    "conv1.bias": st.booleans(),
    "primary_caps.types": SMALL,
    "primary_caps.dimension": SMALL,
    "primary_caps.kernel": SMALL,
    "primary_caps.stride": SMALL,
    "primary_caps.padding": PADDING,
    "primary_caps.bias": st.booleans(),
    "digit_caps.classes": SMALL,
    "digit_caps.dimension": SMALL,
    "digit_caps.shared_w": st.sampled_from(["none", "grid", "all"]),
    "digit_caps.bias": st.booleans(),
    "digit_caps.logits": st.sampled_from(["zero", "frozen", "trainable"]),
    "digit_caps.coupling": st.sampled_from(["computed", "trainable"]),
    "digit_caps.iterations": SMALL,
    "decoder": st.sampled_from(["none", {"hidden": [3], "input": "masked"}, {"hidden": [], "input": "selected"}]),
    "decoder.hidden": st.lists(SMALL, max_size=2),
    "decoder.input": st.sampled_from(["masked", "selected"]),
    "counting.bare_parameters": st.just("missed"),
    "counting.decoder": st.just("left out"),
    "counting.frozen": st.just("counted"),
    "counting.buffers": st.just("counted"),
    "counting.coupling": st.just("counted"),
}
LAYER = st.tuples(SMALL, SMALL, SMALL, st.integers(1, 2)).map(
    lambda sizes: dict(zip(("channels", "kernel", "stride", "pool"), sizes, strict=True))
)
BASELINE = SHARED | {
    "padding": PADDING,
    "layers": st.lists(LAYER, max_size=3),
    "layers.1.channels": SMALL,
    "layers.1.kernel": SMALL,
    "layers.1.stride": SMALL,
    "layers.1.pool": st.integers(1, 2),
    "fully_connected.hidden": st.lists(SMALL, max_size=2),
    "fully_connected.classes": SMALL,
}

EFFICIENT_LAYER = st.fixed_dictionaries({"channels": SMALL, "kernel": SMALL, "stride": SMALL, "bias": st.booleans()})
EFFICIENT_CAPSNET = SHARED | {
    "layers": st.lists(EFFICIENT_LAYER, max_size=3),
    "layers.1.channels": SMALL,
    "layers.1.kernel": SMALL,
    "layers.1.stride": SMALL,
    "layers.1.bias": st.booleans(),
    "primary_caps.dimension": SMALL,
    "primary_caps.kernel": SMALL,
    "primary_caps.stride": SMALL,
    "primary_caps.bias": st.booleans(),
    "digit_caps.classes": SMALL,
    "digit_caps.dimension": SMALL,
    "digit_caps.logits": st.sampled_from(["zero", "trainable"]),
    "decoder": CAPSNET["decoder"],
    "decoder.hidden": CAPSNET["decoder.hidden"],
    "decoder.input": CAPSNET["decoder.input"],
    "counting.bare_parameters": st.just("missed"),
    "counting.decoder": st.just("left out"),
    "counting.coupling": st.just("counted"),
}

KNOBS: dict[type[Spec], dict[str, st.SearchStrategy[Any]]] = {
    CapsNet: CAPSNET,
    Baseline: BASELINE,
    EfficientCapsNet: EFFICIENT_CAPSNET,
}
"""The knobs of each family, with values that they may have."""


@st.composite
def spaces(draw: DrawFn, *, knobs_at_most: int = 5) -> tuple[Space, Variant]:
    """A space that fits its network, and the network."""
    spec = draw(specs())
    possible = KNOBS[type(spec)]
    usable = sorted(knob for knob in possible if not missing(knob, spec))
    names = draw(st.lists(st.sampled_from(usable), min_size=1, max_size=knobs_at_most, unique=True))
    knobs = tuple(Knob(name, draw(alternatives(possible[name]))) for name in names)
    space = Space("random.toml", family_of(spec).name, "random", knobs)
    return space, Variant(id="start", summary="", parent=None, depth=0, spec=spec, sources={})


@st.composite
def spaces_of(draw: DrawFn, knob: str) -> tuple[Space, Variant]:
    """A space of one knob, around a network that has it."""
    families = [family for family, knobs in KNOBS.items() if knob in knobs | SIDES]
    spec = draw(specs(*families).filter(lambda spec: not missing(knob, spec)))
    values = draw(alternatives((KNOBS[type(spec)] | SIDES)[knob]))
    space = Space("random.toml", family_of(spec).name, "random", (Knob(knob, values),))
    return space, Variant(id="start", summary="", parent=None, depth=0, spec=spec, sources={})


@st.composite
def alternatives(draw: DrawFn, values: st.SearchStrategy[Any]) -> tuple[Alternative, ...]:
    found = draw(st.lists(values, min_size=1, max_size=3, unique_by=str))
    return tuple(Alternative(value, draw(st.integers(0, 3)), "drawn") for value in found)


def missing(knob: str, spec: Spec) -> bool:
    """Part of a table or a list that this network does not have."""
    table, _, part = knob.partition(".")
    return bool(part) and getattr(spec, table, True) in (None, ())


assert {family.spec for family in FAMILIES.values()} == KNOBS.keys()
assert CONVENTIONS.keys() - {*READINGS} <= {knob for knobs in KNOBS.values() for knob in knobs}
