"""Random small networks of every family, all of them possible."""

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from capsaudit.families import efficient_capsnet as efficient
from capsaudit.families import impossible
from capsaudit.families.baseline import Baseline, BaselineLayer, FullyConnected
from capsaudit.families.capsnet import CapsNet, DigitCaps, PrimaryCaps
from capsaudit.spec import Convolution, Decoder, Image, Spec

SMALL = st.integers(1, 3)
PADDING = st.one_of(st.sampled_from(["valid", "same"]), st.integers(0, 2))
IMAGES = st.builds(Image, channels=SMALL, height=st.integers(3, 9), width=st.integers(3, 9))


def convolutions() -> SearchStrategy[Convolution]:
    return st.builds(
        Convolution, channels=SMALL, kernel=st.integers(1, 4), stride=SMALL, padding=PADDING, bias=st.booleans()
    )


def capsnets() -> SearchStrategy[Spec]:
    primary = st.builds(
        PrimaryCaps,
        types=SMALL,
        dimension=SMALL,
        kernel=st.integers(1, 4),
        stride=SMALL,
        padding=PADDING,
        bias=st.booleans(),
    )
    digit = st.builds(
        DigitCaps,
        classes=SMALL,
        dimension=SMALL,
        shared_w=st.sampled_from(["none", "grid", "all"]),
        bias=st.booleans(),
        logits=st.sampled_from(["zero", "frozen", "trainable"]),
        coupling=st.sampled_from(["computed", "trainable"]),
        iterations=SMALL,
        none_of_the_above=st.booleans(),
        gradient=st.sampled_from(["all", "last"]),
    )
    decoder = st.builds(
        Decoder, hidden=st.lists(SMALL, max_size=3).map(tuple), input=st.sampled_from(["masked", "selected"])
    )
    return st.builds(
        CapsNet,
        image=IMAGES,
        conv1=convolutions(),
        primary_caps=primary,
        digit_caps=digit,
        decoder=st.none() | decoder,
    )


def baselines() -> SearchStrategy[Spec]:
    layer = st.builds(BaselineLayer, channels=SMALL, kernel=st.integers(1, 4), stride=SMALL, pool=st.integers(1, 2))
    connected = st.builds(
        FullyConnected,
        hidden=st.lists(SMALL, max_size=3).map(tuple),
        classes=SMALL,
        dropout=st.sampled_from([0.0, 0.5]),
    )
    return st.builds(
        Baseline,
        image=IMAGES,
        padding=PADDING,
        layers=st.lists(layer, max_size=3).map(tuple),
        fully_connected=connected,
    )


def efficient_capsnets() -> SearchStrategy[Spec]:
    layer = st.builds(
        efficient.ConvolutionLayer, channels=SMALL, kernel=st.integers(1, 3), stride=SMALL, bias=st.booleans()
    )
    return st.builds(
        efficient.EfficientCapsNet,
        image=IMAGES,
        layers=st.lists(layer, max_size=3).map(tuple),
        primary_caps=st.builds(
            efficient.PrimaryCaps, dimension=SMALL, kernel=st.integers(1, 3), stride=SMALL, bias=st.booleans()
        ),
        digit_caps=st.builds(
            efficient.DigitCaps, classes=SMALL, dimension=SMALL, logits=st.sampled_from(["zero", "trainable"])
        ),
        decoder=st.none()
        | st.builds(
            Decoder, hidden=st.lists(SMALL, max_size=3).map(tuple), input=st.sampled_from(["masked", "selected"])
        ),
    )


NETWORKS: dict[type[Spec], Callable[[], SearchStrategy[Spec]]] = {
    CapsNet: capsnets,
    Baseline: baselines,
    efficient.EfficientCapsNet: efficient_capsnets,
}
"""Random networks of each family, possible or not."""


def specs(*families: type[Spec]) -> SearchStrategy[Spec]:
    """A network of one of these families, of any without one, that can exist."""
    networks = st.one_of(*(NETWORKS[family]() for family in families or NETWORKS))
    return networks.filter(lambda spec: impossible(spec) is None)
