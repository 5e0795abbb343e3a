"""A match: how far a variant is from a model."""

from msgspec.structs import replace

from capsaudit.catalogue import Variant, load_variant
from capsaudit.families import impossible, layers
from capsaudit.inventory import InventoryTensor
from capsaudit.recognition.base import Match, RecognisedNetwork, best
from capsaudit.spec import Image


def match(variant: str, *settings: str, of: str = "paper") -> Match:
    """`variant` matched with a model that is `of` with these settings."""
    network = RecognisedNetwork(load_variant(of, settings=settings).spec, {}, (), ())
    return Match(load_variant(variant), network)


def test_changes_are_those_that_count() -> None:
    found = match("paper", "digit_caps.iterations=1", "conv1.bias=false")
    assert (found.changes, found.difference) == (1, -256)


Layers = dict[str, tuple[InventoryTensor, ...]]


def tensor(name: str, count: int, *, buffer: bool = False) -> InventoryTensor:
    return InventoryTensor(
        name=name,
        layer="",
        kind="",
        shape=(count,),
        count=count,
        trainable=not buffer,
        buffer=buffer,
        dtype="float32",
        bytes=0,
    )


def test_what_a_network_does_not_account_for_is_added_up_layer_by_layer() -> None:
    """Five values too few in conv1 and seven too many in digit_caps do not cancel; three have no layer. A buffer is no parameter."""
    spec = load_variant("paper-no-decoder").spec
    exact: Layers = {row.name: (tensor(row.name, row.formula.value),) for row in layers(spec)}
    assert Match(load_variant("paper"), RecognisedNetwork(spec, exact, (), ())).misfit == 0
    changed: Layers = exact | {
        "conv1": (tensor("conv1", 82 * 256 - 5), tensor("mean", 9, buffer=True)),
        "digit_caps": (*exact["digit_caps"], tensor("more", 7)),
    }
    assert Match(load_variant("paper"), RecognisedNetwork(spec, changed, (tensor("x", 3),), ())).misfit == 5 + 7 + 3


def test_the_network_as_a_variant_extends_the_one_it_matches() -> None:
    found: Variant = match("paper", "image.size=36").as_variant("net.py:Net")
    assert (found.id, found.parent, found.depth) == ("net.py:Net", "paper", load_variant("paper").depth + 1)
    assert found.spec == load_variant("multimnist").spec
    assert found.sources == {"image.size": "inferred from net.py:Net"}


def test_the_best_match_fits_best_then_changes_fewest_knobs() -> None:
    """Without tensors, a network misfits by its whole total: the one without a decoder by least."""
    exact, one_more = match("paper"), match("article", of="paper")
    assert best([one_more, exact]) is exact
    smaller = match("article", "decoder=none")
    assert best([exact, smaller]) is smaller
    assert best([]) is None


def test_a_network_that_cannot_exist_is_no_match() -> None:
    spec = replace(load_variant("paper").spec, image=Image(channels=1, height=8, width=8))
    small = Match(load_variant("paper"), RecognisedNetwork(spec, {}, (), ()))
    assert impossible(small.network.spec)
    assert best([small]) is None
