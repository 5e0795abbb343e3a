"""Which tables each result becomes: one module for each verb, imported when a result of it is shown."""

from __future__ import annotations

from importlib import import_module

from capsaudit.render.document import Document
from capsaudit.render.tables.base import draw, setting
from capsaudit.results import Result

__all__ = ["document", "setting"]

_DRAWN_BY = {
    "Audit": "audit",
    "Check": "check",
    "Claims": "claims",
    "Comparison": "count",
    "Count": "count",
    "Joint": "joint",
    "Ledger": "explain",
    "Listing": "count",
    "Reconciliation": "reconcile",
    "Report": "report",
    "Runs": "train_smoke",
}


def document(result: Result) -> Document:
    """The document of a result."""
    import_module(f"capsaudit.render.tables.{_DRAWN_BY[type(result).__name__]}")
    return draw(result)
