"""A variant with knobs changed from the command line."""

import pytest

from capsaudit.catalogue import Variant, load_variant
from capsaudit.catalogue.overrides import with_settings
from capsaudit.errors import FileError
from capsaudit.families.capsnet import CapsNet


def changed(*settings: str, variant: str = "paper") -> tuple[Variant, CapsNet]:
    found = with_settings(load_variant(variant), settings)
    assert isinstance(found.spec, CapsNet)
    return found, found.spec


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("conv1.strde=2", "--set conv1.strde=2: there is no knob 'conv1.strde'; did you mean 'conv1.stride'?"),
        ("conv1.kernel=nine", '--set: conv1.kernel is "nine"; expected a positive integer'),
        ("conv1.kernel=", '--set: conv1.kernel is ""'),
        ("conv1.kernel", "expected knob.path=value"),
        ("=9", "expected knob.path=value"),
        ("image.size=-1", "--set: image.height is -1"),
        ("decoder.hidden.3=5", "there is no knob"),
        ("decoder=many", '--set: decoder is "many"; expected a table'),
        ("image.size=8", "--set: conv1.kernel (=9) is larger than its input (=8×8)"),
    ],
)
def test_bad_settings(setting: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        with_settings(load_variant("paper"), [setting])
    assert message in str(caught.value)


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    with pytest.raises(FileError) as caught:
        with_settings(load_variant("paper"), ["conv1.strde=2", "conv1.kernel=0", "image.height=x"])
    assert len(caught.value.faults) == 3


def test_settings_reach_every_kind_of_knob() -> None:
    _, spec = changed("decoder.hidden=256,300,400", "decoder.input=selected", "image.size=36")
    assert spec.decoder is not None
    assert (spec.decoder.hidden, spec.decoder.input) == ((256, 300, 400), "selected")
    assert (spec.image.height, spec.image.width) == (36, 36)
    assert changed("decoder=none")[1].decoder is None
    added = changed("decoder.hidden=[512]", "decoder.input=masked", variant="paper-no-decoder")[1]
    assert added.decoder is not None
    assert added.decoder.hidden == (512,)


def test_the_last_of_several_settings_of_a_knob_holds() -> None:
    assert changed("conv1.kernel=5", "conv1.kernel=7")[1].conv1.kernel == 7


def test_what_was_worked_out_by_hand_no_longer_applies_and_what_was_stated_does() -> None:
    paper = load_variant("paper")
    variant, _ = changed("image.size=36")
    assert (variant.id, variant.parent, variant.depth) == ("paper + image.size=36", "paper", paper.depth + 1)
    assert paper.expected is not None
    assert variant.expected is None
    assert variant.stated == paper.stated
    assert variant.source("image.size") == "the command line"
    assert variant.source("conv1.kernel") == paper.source("conv1.kernel")
    assert load_variant("paper") == paper


@pytest.mark.parametrize("setting", ["image.size=36\nx=1", "image.size=36\n[x]", "image.channels=[1,\n1]\nx.y=2"])
def test_what_follows_a_value_on_another_line_is_refused(setting: str) -> None:
    with pytest.raises(FileError) as caught:
        with_settings(load_variant("paper"), [setting])
    assert caught.value.faults == (f"--set {setting!r}: expected one value; it is followed by x",)


def test_a_list_may_have_several_lines() -> None:
    assert load_variant("paper", settings=["image.size=[36,\n36]"]).spec.image.height == 36
