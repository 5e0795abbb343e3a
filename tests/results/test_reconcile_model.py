"""What explains a figure of somebody's model."""

from msgspec.structs import replace

from tests.render.samples import model_reconciliation


def test_a_figure_is_agreed_with_where_something_explains_it() -> None:
    assert model_reconciliation().agrees
    assert not model_reconciliation("5M").agrees
    assert not replace(model_reconciliation(), found=0).agrees
