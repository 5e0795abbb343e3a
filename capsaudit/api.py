"""The verbs as functions of variants by name, path or value. What they return is frozen, and a notebook shows it as tables.

Each verb imports what it needs when it is called; torch comes in with the witnesses `torch` and `torchinfo` and with `build`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from capsaudit.catalogue import Variant, load_all, load_variant
from capsaudit.errors import CapsauditError
from capsaudit.results import Check, Comparison, Count, Ledger, Listing
from capsaudit.witnesses import WITNESSES

if TYPE_CHECKING:
    from capsaudit.models.network import Baseline, CapsNet

__all__ = [
    "CapsauditError",
    "Check",
    "Comparison",
    "Count",
    "Ledger",
    "Listing",
    "Variant",
    "build",
    "check",
    "compare",
    "count",
    "explain",
    "load_variant",
    "variants",
]

AnyVariant = Variant | str | Path
"""A variant, the id of a shipped one, or the path of a file."""


def variants() -> Listing:
    """The shipped variants: what each is, its total and the figure stated for it."""
    from capsaudit.verbs import listing

    return listing.list_variants(load_all())


def shipped_ids() -> tuple[str, ...]:
    """Ids of the shipped variants, in the order in which they are shown."""
    return tuple(variant.id for variant in load_all())


def count(variant: AnyVariant, *, witnesses: Sequence[str] | None = None) -> Count:
    """One variant, layer by layer: shapes, formula, trainable, frozen, stated, verdict.

    Raises:
        CapsauditError: the variant cannot be read or counted.
    """
    from capsaudit.verbs import counting

    return counting.count(_variant(variant), witnesses=witnesses or WITNESSES)


def compare(*variants: AnyVariant, witnesses: Sequence[str] | None = None) -> Comparison:
    """Several variants side by side, all shipped ones without arguments, and which stated figures their totals print as.

    Raises:
        CapsauditError: a variant cannot be read or counted.
    """
    from capsaudit.verbs import comparing

    shipped = load_all()
    chosen = [_variant(variant) for variant in variants] or shipped
    return comparing.compare(chosen, witnesses=witnesses or WITNESSES, stated_by=shipped)


def explain(start: AnyVariant, end: AnyVariant) -> Ledger:
    """The ledger: each changed knob with the exact difference it makes, adding up to the difference of the totals.

    Raises:
        CapsauditError: a variant cannot be read.
    """
    from capsaudit.verbs import explaining

    return explaining.explain(_variant(start), _variant(end))


def check(*variants: AnyVariant, witnesses: Sequence[str] | None = None) -> Check:
    """Hold every stated count and shape against what is counted, for all shipped variants without arguments.

    Raises:
        CapsauditError: a variant cannot be read, or states nothing that could be checked.
    """
    from capsaudit.verbs import checking

    return checking.check([_variant(variant) for variant in variants] or load_all(), witnesses=witnesses or WITNESSES)


def build(variant: AnyVariant, *, device: str = "cpu") -> CapsNet | Baseline:
    """The torch module of a variant. Calling it with images [batch, channels, height, width] gives class scores, and capsules and
    reconstruction where the network has them.

    Raises:
        CapsauditError: the variant cannot be read.
    """
    from capsaudit.models.network import build

    return build(_variant(variant).spec, device=device)


def _variant(variant: AnyVariant) -> Variant:
    return variant if isinstance(variant, Variant) else load_variant(variant)
