"""The shapes that the arithmetic states are those of a real forward pass."""

import pytest
from hypothesis import given, settings

from capsaudit.catalogue import load_variant, shipped
from capsaudit.families import layers
from capsaudit.models.tracing import Shapes, traced_shapes
from capsaudit.spec import Spec
from tests.strategies import specs


def stated(spec: Spec) -> dict[str, Shapes]:
    return {layer.name: (layer.input_shape, layer.output_shape) for layer in layers(spec)}


@settings(max_examples=150, deadline=None)
@given(specs())
def test_shapes_of_any_network(spec: Spec) -> None:
    assert traced_shapes(spec, device="cpu") == stated(spec)
    assert traced_shapes(spec, device="meta") == stated(spec)


@pytest.mark.parametrize("variant", shipped())
def test_shapes_of_the_shipped_variants(variant: str) -> None:
    spec = load_variant(variant).spec
    assert traced_shapes(spec) == stated(spec)
    if variant not in ("baseline-mnist", "cifar10-released-code"):  # these two alone would take seconds
        assert traced_shapes(spec, device="cpu") == stated(spec)


def test_shapes_of_the_paper_worked_out_by_hand() -> None:
    """Otherwise both could be wrong in the same way."""
    assert traced_shapes(load_variant("paper").spec)["primary_caps"] == ((256, 20, 20), (1152, 8))
