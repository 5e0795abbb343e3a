"""What the catalogue hands on."""

from capsaudit import catalogue
from capsaudit.catalogue import variant, variants


def test_names_are_those_of_its_modules() -> None:
    assert catalogue.Variant is variant.Variant
    assert catalogue.load_variant is variants.load_variant
    assert all(hasattr(catalogue, name) for name in catalogue.__all__)
