"""Variants: files that say what differs from their parent, where each value comes from, and what was stated."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from capsaudit.catalogue.overrides import with_settings
from capsaudit.catalogue.variant import Expected, ExpectedLayer, Stated, Variant
from capsaudit.catalogue.variants import assemble, read_chain, shipped
from capsaudit.spec import Baseline

__all__ = ["Expected", "ExpectedLayer", "Stated", "Variant", "load_all", "load_variant", "shipped"]


def load_variant(name: str | Path, *, settings: Sequence[str] = ()) -> Variant:
    """A shipped variant by its id, or one of your own by its path.

    `settings` changes knobs as `--set` does: `["image.size=36", "decoder=none"]`.

    Raises:
        UnknownVariantError: no such id and no such file.
        FileError: everything that is wrong with the file, with those it extends, or with the settings.
    """
    variant = _shipped(str(name)) if str(name) in shipped() else assemble(read_chain(name))
    return with_settings(variant, settings) if settings else variant


@cache
def load_all() -> tuple[Variant, ...]:
    """Every shipped variant: capsule networks first, by size of the image, the plainest reading first."""
    return tuple(sorted(map(load_variant, shipped()), key=_rank))


@cache
def _shipped(name: str) -> Variant:
    return assemble(read_chain(name))


def _rank(variant: Variant) -> tuple[bool, int, int, str]:
    image = variant.spec.image
    return isinstance(variant.spec, Baseline), image.channels * image.height * image.width, variant.depth, variant.id
