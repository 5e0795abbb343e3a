"""Variants, spaces and claims as data: files that say what differs from their parent, where each value comes from, and what was stated."""

from capsaudit.catalogue.toml_files import shipped
from capsaudit.catalogue.variant import Expected, ExpectedLayer, Stated, Variant
from capsaudit.catalogue.variants import load_all, load_variant

__all__ = ["Expected", "ExpectedLayer", "Stated", "Variant", "load_all", "load_variant", "shipped"]
