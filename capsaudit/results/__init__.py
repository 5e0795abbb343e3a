"""What the commands return: frozen values, one file a command."""

from capsaudit.results.audit import AdaptedModel, Audit, AuditedClaim, AuditedLayer, Audits
from capsaudit.results.base import Reason, Result
from capsaudit.results.check import Check, Failure
from capsaudit.results.claims import Claims, ClaimVerdict, JudgedClaim
from capsaudit.results.count import Comparison, Count, Layer, StatedFigure, VariantList, VariantSummary
from capsaudit.results.evaluate import EvaluatedWeights, Evaluation, WeightReading
from capsaudit.results.explain import LayerDifference, Ledger, Step
from capsaudit.results.joint import Excluded, Joint, JointFigure, Question
from capsaudit.results.reconcile import (
    ChangeHistogram,
    Evidence,
    Explanation,
    Known,
    KnownKind,
    Reading,
    Reconciliation,
)
from capsaudit.results.reconcile_model import ModelExplanation, ModelReconciliation, SelectionSearch
from capsaudit.results.report import Report
from capsaudit.results.train import TestError, TrainingEstimate, TrainingRun
from capsaudit.results.train_smoke import (
    BeforeAfter,
    FirstLast,
    Run,
    RunPicture,
    Runs,
    RunVerdict,
    TrainedTensor,
    Unfinished,
)

__all__ = [
    "AdaptedModel",
    "Audit",
    "AuditedClaim",
    "AuditedLayer",
    "Audits",
    "BeforeAfter",
    "ChangeHistogram",
    "Check",
    "ClaimVerdict",
    "Claims",
    "Comparison",
    "Count",
    "EvaluatedWeights",
    "Evaluation",
    "Evidence",
    "Excluded",
    "Explanation",
    "Failure",
    "FirstLast",
    "Joint",
    "JointFigure",
    "JudgedClaim",
    "Known",
    "KnownKind",
    "Layer",
    "LayerDifference",
    "Ledger",
    "ModelExplanation",
    "ModelReconciliation",
    "Question",
    "Reading",
    "Reason",
    "Reconciliation",
    "Report",
    "Result",
    "Run",
    "RunPicture",
    "RunVerdict",
    "Runs",
    "SelectionSearch",
    "StatedFigure",
    "Step",
    "TestError",
    "TrainedTensor",
    "TrainingEstimate",
    "TrainingRun",
    "Unfinished",
    "VariantList",
    "VariantSummary",
    "WeightReading",
]
