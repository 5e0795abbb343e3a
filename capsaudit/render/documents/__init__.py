"""Which tables each result becomes: one module for each verb, imported when a result of it is shown."""

from __future__ import annotations

from importlib import import_module

from capsaudit.render.document import Document
from capsaudit.render.documents.base import draw, setting
from capsaudit.results import Result

__all__ = ["document", "setting"]

_DRAWN_BY = {
    "Audit": "auditing",
    "Check": "checking",
    "Claims": "claiming",
    "Comparison": "counting",
    "Count": "counting",
    "Joint": "testifying",
    "Ledger": "explaining",
    "Listing": "counting",
    "Reconciliation": "reconciling",
    "Report": "reporting",
    "Runs": "training",
}


def document(result: Result) -> Document:
    """The document of a result."""
    import_module(f"capsaudit.render.documents.{_DRAWN_BY[type(result).__name__]}")
    return draw(result)
