"""What the commands return: frozen values that know nothing of how they are shown. One module a command."""

from capsaudit.results.audit import Audit, AuditedClaim, AuditedLayer
from capsaudit.results.base import (
    AGREES,
    CHANCE_WOULD_DO,
    CONTRADICTED,
    DISAGREES,
    MAY_BE_CHANCE,
    MISATTRIBUTED,
    MORE_THAN_NEEDED,
    TELLING,
    UNDECIDED,
    UNSTATED,
    Result,
    to_html,
)
from capsaudit.results.check import Check, Failure
from capsaudit.results.claims import Claimed, Claims
from capsaudit.results.count import Comparison, Count, Layer, Listed, Listing, StatedFigure
from capsaudit.results.explain import LayerDifference, Ledger, Step
from capsaudit.results.joint import Excluded, Joint, JointFigure, Question
from capsaudit.results.reconcile import Explanation, OfSoManyChanges, Reconciliation, Turned
from capsaudit.results.report import Report
from capsaudit.results.train_smoke import BeforeAfter, FirstLast, Moved, Run, Runs

__all__ = [
    "AGREES",
    "CHANCE_WOULD_DO",
    "CONTRADICTED",
    "DISAGREES",
    "MAY_BE_CHANCE",
    "MISATTRIBUTED",
    "MORE_THAN_NEEDED",
    "TELLING",
    "UNDECIDED",
    "UNSTATED",
    "Audit",
    "AuditedClaim",
    "AuditedLayer",
    "BeforeAfter",
    "Check",
    "Claimed",
    "Claims",
    "Comparison",
    "Count",
    "Excluded",
    "Explanation",
    "Failure",
    "FirstLast",
    "Joint",
    "JointFigure",
    "Layer",
    "LayerDifference",
    "Ledger",
    "Listed",
    "Listing",
    "Moved",
    "OfSoManyChanges",
    "Question",
    "Reconciliation",
    "Report",
    "Result",
    "Run",
    "Runs",
    "StatedFigure",
    "Step",
    "Turned",
    "to_html",
]
