"""confirm: the built torch module comes to the totals that interpretations state, and to no other."""

from hypothesis import given, settings

from capsaudit.catalogue import Variant, load_variant
from capsaudit.catalogue.spaces import Space
from capsaudit.commands.confirm import confirm
from capsaudit.interpretations.axes import axes
from capsaudit.interpretations.search import Search
from capsaudit.interpretations.tables import tables
from tests.interpretations.spaces import spaces


def test_confirming_can_fail() -> None:
    assert confirm(load_variant("paper").spec, (), 8_215_568)
    assert not confirm(load_variant("paper").spec, (), 8_215_567)


@given(spaces(knobs_at_most=4))
@settings(max_examples=25, deadline=None)
def test_the_built_module_confirms_whatever_is_found(drawn: tuple[Space, Variant]) -> None:
    space, start = drawn
    search = Search(tables(start.spec, axes(space, start)))
    for found in list(search.within((0, 10**9), changes=9))[:20]:
        assert confirm(start.spec, found.changes, found.total)
