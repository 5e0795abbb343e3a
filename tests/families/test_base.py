"""What a family must define about itself."""

import pytest

from capsaudit.catalogue import load_all, load_variant
from capsaudit.families import FAMILIES, family_of
from capsaudit.families.base import POSSIBLE, Family
from capsaudit.spec import Spec


def test_a_family_that_leaves_something_out_is_none() -> None:
    with pytest.raises(TypeError, match="Missing required argument"):
        Family(name="tree", spec=Spec)  # type: ignore[call-arg]


def test_every_family_has_a_shipped_variant() -> None:
    assert {family_of(variant.spec).name for variant in load_all()} == set(FAMILIES)


@pytest.mark.parametrize("variant", [variant.id for variant in load_all()])
def test_every_tensor_has_one_scope(variant: str) -> None:
    """By its own name, its layer's, or that of all layers of its kind; and every family says when a network is possible."""
    spec = load_variant(variant).spec
    family = family_of(spec)
    scopes = family.scopes(spec, {})
    assert POSSIBLE in scopes
    for row in family.layers(spec):
        for tensor in (*row.parameters, *row.computed):
            names = {f"{row.name}.{tensor.name}", row.name, row.name.rstrip("0123456789")}
            assert len(names & scopes.keys()) == 1, (row.name, tensor.name)


def test_specs_tell_families_apart() -> None:
    assert len({family.spec for family in FAMILIES.values()}) == len(FAMILIES)
    assert all(name == family.name for name, family in FAMILIES.items())
