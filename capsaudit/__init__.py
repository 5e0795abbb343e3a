"""capsaudit: how large is this network, who says so, and under which reading are they right?

The verbs of the command line, for programs and notebooks:

>>> import capsaudit
>>> capsaudit.count("article", witnesses=["formula"]).trainable
8238608
>>> capsaudit.explain("article", "multimnist").difference
3123200
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capsaudit.api import (
        assert_counts,
        audit,
        audit_target,
        build,
        check,
        claims,
        compare,
        count,
        explain,
        load_variant,
        reconcile,
        reconcile_jointly,
        report,
        train_smoke,
        variants,
    )
    from capsaudit.catalogue import Variant
    from capsaudit.errors import CapsauditError
    from capsaudit.results import (
        Audit,
        Check,
        Claims,
        Comparison,
        Count,
        Joint,
        Ledger,
        Listing,
        Reconciliation,
        Report,
        Runs,
    )

__version__ = "0.1.0"

__all__ = [
    "Audit",
    "CapsauditError",
    "Check",
    "Claims",
    "Comparison",
    "Count",
    "Joint",
    "Ledger",
    "Listing",
    "Reconciliation",
    "Report",
    "Runs",
    "Variant",
    "assert_counts",
    "audit",
    "audit_target",
    "build",
    "check",
    "claims",
    "compare",
    "count",
    "explain",
    "load_variant",
    "reconcile",
    "reconcile_jointly",
    "report",
    "train_smoke",
    "variants",
]


def __getattr__(name: str) -> object:
    """Import the API when a name of it is first used, so that `capsaudit --help` need not wait for it."""
    if name not in __all__:
        raise AttributeError(f"module 'capsaudit' has no attribute {name!r}")
    import capsaudit.render.html  # noqa: F401, it registers how notebooks show results
    from capsaudit import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
