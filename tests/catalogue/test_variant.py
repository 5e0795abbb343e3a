"""A variant as data: the sources of its values, and what was stated about it."""

import pytest

from capsaudit.catalogue import load_variant
from capsaudit.catalogue.variant import StatedTable, Variant
from capsaudit.errors import FigureError
from capsaudit.published import judge


def variant(sources: dict[str, str]) -> Variant:
    return Variant(id="mine", summary="", parent=None, depth=0, spec=load_variant("paper").spec, sources=sources)


def test_the_source_of_a_knob_is_its_own_or_that_of_its_group() -> None:
    mine = variant({"conv1": "the paper", "conv1.kernel": "a guess", "image": "MNIST"})
    assert mine.source("conv1.kernel") == "a guess"
    assert mine.source("conv1.stride") == "the paper"
    assert mine.source("image.height") == "MNIST"
    assert mine.source("conv") is None  # the name of a group, not the beginning of one
    assert mine.source("conv10.kernel") is None


def test_figures_are_read_as_their_source_prints_them() -> None:
    """161,824 rounds to 162K; a source that cuts its figures prints 161K."""
    cut, rounded = StatedTable(source="me", rounding="cut"), StatedTable(source="me")
    assert judge(cut.parse("161K"), 161_824) == "agrees"
    assert judge(rounded.parse("161K"), 161_824) == "approximate"
    assert judge(StatedTable(source="me", digits=2).parse("6800K"), 6_804_224) == "agrees"
    with pytest.raises(FigureError):
        StatedTable(source="me", digits=2).parse("6804K")


def test_stated_figures_are_parsed_once_when_the_file_is_read() -> None:
    stated = load_variant("article").stated
    assert stated is not None
    assert stated.total is not None
    assert (stated.total.text, stated.total.value) == ("8238608", 8_238_608)
    assert {name: figure.value for name, figure in stated.layers.items()}[
        "digit_caps"
    ] == 1_497_600  # (1152·8·16 + 1152 + 1152)·10


def test_figures_must_agree_unless_they_are_known_to_be_wrong() -> None:
    assert StatedTable(source="me").must_agree
    assert load_variant("article").stated.must_agree  # type: ignore[union-attr]
