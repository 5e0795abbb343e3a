"""The document of each result: one file for each command, imported when a result of it is shown."""

from __future__ import annotations

from importlib import import_module

from capsaudit.render.document import Document
from capsaudit.render.escaping import with_escapes
from capsaudit.render.tables.base import setting
from capsaudit.results import Result

__all__ = ["DOCUMENTS", "document", "setting"]

DOCUMENTS = {
    "Audit": "audit.audit",
    "Audits": "audit.audits",
    "Check": "check.check",
    "Claims": "claims.claims",
    "Comparison": "count.compare",
    "Count": "count.count",
    "Evaluation": "evaluate.evaluate",
    "Joint": "joint.joint",
    "Ledger": "explain.explain",
    "ModelReconciliation": "reconcile_model.reconcile_model",
    "Reconciliation": "reconcile.reconcile",
    "Report": "report.report",
    "Runs": "train_smoke.train_smoke",
    "TrainingEstimate": "train.train_dry_run",
    "TrainingRun": "train.train",
    "VariantList": "count.variants",
}
"""The module and the function that draw each type of result."""


def document(result: Result) -> Document:
    """The document of a result, safe to show."""
    module, _, function = DOCUMENTS[type(result).__name__].partition(".")
    drawn: Document = getattr(import_module(f"{__name__}.{module}"), function)(with_escapes(result))
    return drawn
