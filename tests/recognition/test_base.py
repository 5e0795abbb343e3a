"""A match: how far a variant is from a model."""

from msgspec.structs import replace

from capsaudit.catalogue import Variant, load_variant
from capsaudit.families import impossible
from capsaudit.recognition.base import Match, RecognisedNetwork, best
from capsaudit.spec import Image


def match(variant: str, *settings: str, of: str = "paper") -> Match:
    """`variant` matched with a model that is `of` with these settings."""
    network = RecognisedNetwork(load_variant(of, settings=settings).spec, {}, (), ())
    return Match(load_variant(variant), network)


def test_changes_are_those_that_count() -> None:
    found = match("paper", "digit_caps.iterations=1", "conv1.bias=false")
    assert (found.changes, found.difference) == (1, -256)


def test_what_a_network_does_not_account_for_has_no_sign() -> None:
    assert match("paper").unexplained(8_215_568) == 0
    assert match("paper").unexplained(8_215_568 + 42) == match("paper").unexplained(8_215_568 - 42) == 42


def test_the_network_as_a_variant_extends_the_one_it_matches() -> None:
    found: Variant = match("paper", "image.size=36").as_variant("net.py:Net")
    assert (found.id, found.parent, found.depth) == ("net.py:Net", "paper", load_variant("paper").depth + 1)
    assert found.spec == load_variant("multimnist").spec
    assert found.sources == {"image.size": "inferred from net.py:Net"}


def test_the_best_match_leaves_least_unexplained_then_changes_fewest_knobs() -> None:
    exact, one_more = match("paper"), match("paper", "conv1.bias=false")
    assert best([one_more, exact], 8_215_568) is exact
    assert best([exact, one_more], 8_215_568 - 256) is one_more
    plain, far = match("paper", "decoder=none"), match("article", "decoder=none")
    assert best([far, plain], 6_804_224) is plain
    assert best([], 1) is None


def test_a_network_that_cannot_exist_is_no_match() -> None:
    spec = replace(load_variant("paper").spec, image=Image(channels=1, height=8, width=8))
    small = Match(load_variant("paper"), RecognisedNetwork(spec, {}, (), ()))
    assert impossible(small.network.spec)
    assert best([small], 8_215_568) is None
