"""Random small spaces around random small networks."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from capsaudit.catalogue import Variant
from capsaudit.catalogue.spaces import Alternative, Knob, Space
from capsaudit.conventions import CONVENTIONS, ROUNDING
from capsaudit.families import family_of
from capsaudit.families.baseline import Baseline
from capsaudit.families.capsnet import CapsNet
from capsaudit.spec import Spec
from tests.strategies import PADDING, specs

SMALL = st.integers(1, 4)
SHARED: dict[str, st.SearchStrategy[Any]] = {
    "image.size": st.integers(3, 12),
    "image.channels": SMALL,
    "counting.biases": st.just("left out"),
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
LAYER = st.fixed_dictionaries({"channels": SMALL, "kernel": SMALL, "stride": SMALL, "pool": st.integers(1, 2)})
BASELINE = SHARED | {
    "padding": PADDING,
    "layers": st.lists(LAYER, max_size=3),
    "layers.1.channels": SMALL,
    "layers.1.kernel": SMALL,
    "layers.1.pool": st.integers(1, 2),
    "fully_connected.hidden": st.lists(SMALL, max_size=2),
    "fully_connected.classes": SMALL,
}


@st.composite
def spaces(draw: DrawFn, *, knobs_at_most: int = 5) -> tuple[Space, Variant]:
    """A space that fits its network, and the network."""
    spec = draw(specs())
    possible = CAPSNET if isinstance(spec, CapsNet) else BASELINE
    usable = sorted(knob for knob in possible if not missing(knob, spec))
    names = draw(st.lists(st.sampled_from(usable), min_size=1, max_size=knobs_at_most, unique=True))
    knobs = tuple(Knob(name, draw(alternatives(possible[name]))) for name in names)
    space = Space("random.toml", family_of(spec).name, "random", knobs)
    return space, Variant(id="start", summary="", parent=None, depth=0, spec=spec, sources={})


@st.composite
def spaces_of(draw: DrawFn, knob: str) -> tuple[Space, Variant]:
    """A space of one knob, around a network that has it."""
    kinds = [kind for kind, possible in ((CapsNet, CAPSNET), (Baseline, BASELINE)) if knob in possible]
    spec = draw(specs().filter(lambda spec: isinstance(spec, tuple(kinds)) and not missing(knob, spec)))
    values = (CAPSNET if isinstance(spec, CapsNet) else BASELINE)[knob]
    space = Space("random.toml", family_of(spec).name, "random", (Knob(knob, draw(alternatives(values))),))
    return space, Variant(id="start", summary="", parent=None, depth=0, spec=spec, sources={})


@st.composite
def alternatives(draw: DrawFn, values: st.SearchStrategy[Any]) -> tuple[Alternative, ...]:
    found = draw(st.lists(values, min_size=1, max_size=3, unique_by=str))
    return tuple(Alternative(value, draw(st.integers(0, 3)), "drawn") for value in found)


def missing(knob: str, spec: Spec) -> bool:
    if isinstance(spec, CapsNet):
        return knob.startswith("decoder.") and spec.decoder is None
    return knob.startswith("layers.") and not spec.layers


assert CONVENTIONS.keys() - {ROUNDING} <= (CAPSNET | BASELINE).keys()
