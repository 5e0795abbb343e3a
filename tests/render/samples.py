"""A result of every command on what is shipped, each computed once and by the formula alone where that is enough."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec import Struct

from capsaudit import api
from capsaudit.catalogue import load_variant
from capsaudit.commands.model_claims import judge_counts
from capsaudit.inspection.load import inventory_of
from capsaudit.knobs import KnobChange
from capsaudit.results import (
    Audit,
    Audits,
    BeforeAfter,
    Check,
    Claims,
    Comparison,
    Count,
    EvaluatedWeights,
    Evaluation,
    FirstLast,
    Joint,
    Ledger,
    ModelReconciliation,
    Reason,
    Reconciliation,
    Report,
    Result,
    Run,
    RunPicture,
    Runs,
    TestError,
    TrainedTensor,
    TrainingEstimate,
    TrainingRun,
    Unfinished,
    VariantList,
    WeightReading,
)
from examples import capsnets
from examples.classifier import SmallClassifier

FORMULA = ["formula"]
EXAMPLES = Path(__file__).parents[2] / "examples"


@cache
def count(variant: str = "article") -> Count:
    return api.count(variant, witnesses=FORMULA)


@cache
def comparison() -> Comparison:
    return api.compare(witnesses=FORMULA)


@cache
def variants() -> VariantList:
    return api.variants()


@cache
def ledger() -> Ledger:
    return api.explain("article", "multimnist")


@cache
def check() -> Check:
    return api.check("paper", "article", witnesses=FORMULA)


@cache
def failed_check() -> Check:
    """The paper's expectations of a network with another kernel: shapes, counts and totals do not hold."""
    paper, other = load_variant("paper"), load_variant("paper", settings=["conv1.kernel=7"])
    return api.check(msgspec.structs.replace(paper, id="wrong", spec=other.spec), witnesses=FORMULA)


@cache
def claims() -> Claims:
    return api.claims()


@cache
def joint() -> Joint:
    return api.reconcile_jointly()


@cache
def reconciliation(figure: str = "11.36M") -> Reconciliation:
    return api.reconcile(figure, witnesses=FORMULA)


@cache
def model_reconciliation(figure: str = "27,050") -> ModelReconciliation:
    """The head of the classifier alone."""
    return api.reconcile_model(figure, SmallClassifier())


@cache
def audit() -> Audit:
    """Claims that hold, and with them two that do not."""
    result = api.audit_target(str(EXAMPLES / "capsnets.claims.toml"))
    with torch.device("meta"):
        inventory = inventory_of(capsnets.OneConvolution())
    wrong = judge_counts(inventory, {"W": "1.48M", "primary": 5}, "stored")
    return msgspec.structs.replace(result, claims=(*result.claims, *wrong), verdict="disagrees")


@cache
def explained_audit() -> Audit:
    with torch.device("meta"):
        return api.audit(capsnets.OtherWidths(), against="paper")


@cache
def unknown_audit() -> Audit:
    return api.audit(SmallClassifier())


@cache
def audits() -> Audits:
    return Audits(audits=(audit(), unknown_audit()), faults=("net.py:Net: nothing is stated about it",))


@cache
def report() -> Report:
    return Report(folder="reports", files=("audit.md", "audit.html"), outdated=("audit.html",), checked=True)


@cache
def runs() -> Runs:
    """One run that learnt and one whose loss was not finite; no training is needed to show them."""
    tensors = (
        TrainedTensor(name="conv1.weight", count=20_736, updated=20_736, reached=True, values_changed=20_700),
        TrainedTensor(name="digit_caps.logits", count=11_520, updated=0, reached=False, values_changed=0),
    )
    good = Run(
        variant="paper",
        data="scikit-learn's 8×8 digits",
        seed=0,
        steps=80,
        batch_size=32,
        loss=FirstLast(first=0.5, last=0.25),
        accuracy=BeforeAfter(before=0.1, after=0.95),
        images_per_second=123.4,
        peak_memory_bytes=256 * 2**20,
        parameters=tensors,
        counted=32_256,
        updated=20_736,
        verdict="unreachable",
        reasons=(Reason("unreachable", {"tensors": ["digit_caps.logits"], "count": 11_520}),),
        losses=(0.5, 0.25),
        device="cpu",
    )
    bad = Run(
        variant="article",
        data="scikit-learn's 8×8 digits",
        seed=1,
        steps=2,
        batch_size=32,
        loss=FirstLast(first=0.5, last=None),
        accuracy=BeforeAfter(before=0.1, after=0.1),
        images_per_second=99.0,
        peak_memory_bytes=2**20,
        parameters=(),
        counted=0,
        updated=0,
        verdict="does not learn",
        reasons=(Reason("not finite", {"step": 2}),),
        losses=(0.5, None),
        device="cpu",
    )
    return Runs(
        runs=(good, bad),
        interrupted=True,
        unfinished=Unfinished(variant="multimnist", steps=7, planned=80, loss=FirstLast(first=0.75, last=0.5)),
        not_started=("affnist",),
        pictures=(
            RunPicture(variant="paper", kind="loss", file="pictures/paper-loss.svg"),
            RunPicture(
                variant="paper",
                kind="reconstructions",
                reasons=(Reason("explained too little", {"steps": 80, "explained": 0.04, "least": 0.2}),),
            ),
            RunPicture(
                variant="paper",
                kind="dimensions",
                reasons=(Reason("changed too little", {"steps": 80, "change": 0.03, "least": 0.3}),),
            ),
        ),
    )


SETTINGS = {"epochs": 2, "seed": 0, "decay_to_floor": False, "data_sha256": "0" * 64, "network.conv1.kernel": 9}


@cache
def training_run() -> TrainingRun:
    """Two epochs, the first of which is chosen; √(0.01 · 0.99 / 10,000) = 0.000995."""
    return TrainingRun(
        run="runs/paper",
        variant="paper",
        data="60,000 + 10,000 IDX images of 28×28",
        epochs=2,
        steps=858,
        seed=0,
        test_error=TestError(last=0.0125, chosen=0.01),
        standard_error=0.000995,
        test_images=10_000,
        validation_error=0.0112,
        validation_images=5_000,
        chosen_epoch=1,
        loss=FirstLast(first=0.25, last=0.125),
        training_seconds=3725.0,
        images_per_second=29.5,
        settings=SETTINGS,
        pictures=(
            RunPicture(variant="paper", kind="loss", file="pictures/paper-loss.svg"),
            RunPicture(
                variant="paper",
                kind="dimensions",
                reasons=(Reason("changed too little", {"steps": 858, "change": 0.03, "least": 0.3}),),
            ),
        ),
    )


@cache
def training_estimate() -> TrainingEstimate:
    return TrainingEstimate(
        run="runs/paper",
        variant="paper",
        data="60,000 + 10,000 IDX images of 28×28",
        epochs=2,
        steps=858,
        steps_done=50,
        training_images=55_000,
        validation_images=5_000,
        test_images=10_000,
        training_seconds=3725.0,
        evaluation_seconds=59.6,
        images_per_second=29.5,
        peak_memory_bytes=600_000_000,
        disk_bytes=264_000_000,
        settings=SETTINGS,
    )


@cache
def evaluation() -> Evaluation:
    """Somebody's file: 2 of 4 images wrong, √(0.5 · 0.5 / 4) = 0.25."""
    common: dict[str, Any] = {
        "channels": "channels at equal distances",
        "axes": "class, capsule, input dimension, output dimension",
    }
    return Evaluation(
        run="theirs.pt",
        variant="paper",
        changes=(KnobChange(knob="conv1.channels", before=256, after=128),),
        parameters=8_000_000,
        audit=explained_audit(),
        epochs=None,
        data="60,000 + 10,000 IDX images of 28×28",
        images="digits",
        test_images=4,
        test_error=TestError(last=0.5, chosen=None),
        standard_error=0.25,
        weights=(
            EvaluatedWeights(
                name="file",
                file="theirs.pt",
                epoch=None,
                test_error=0.5,
                standard_error=0.25,
                digit_error=0.5,
                reconstruction_error=12.345,
            ),
        ),
        confusion=((1, 1), (1, 1)),
        pixels=784,
        foreign=True,
        readings=(
            WeightReading(capsules="place, then type", error=0.875, used=False, **common),
            WeightReading(capsules="type, then place", error=0.25, used=True, **common),
        ),
        reading_images=1000,
        assumed=("digit_caps.iterations",),
        left_out=("bn.weight",),
        notes=("the state dict is at 'model' in the file",),
    )


@cache
def evaluated_run() -> Evaluation:
    """A run on two overlaid digits, by its last and its chosen weights."""
    weights = {"standard_error": 0.004, "digit_error": 0.15}
    return Evaluation(
        run="runs/multimnist",
        variant="multimnist",
        parameters=11_361_808,
        audit=api.audit(api.build("multimnist", device="meta")),
        epochs=2,
        data="60,000 + 10,000 IDX images of 28×28",
        images="multimnist",
        test_images=10_000,
        test_error=TestError(last=0.25, chosen=0.2),
        standard_error=0.004,
        weights=(
            EvaluatedWeights(
                name="last", file="last.safetensors", epoch=2, test_error=0.25, reconstruction_error=None, **weights
            ),
            EvaluatedWeights(
                name="chosen", file="best.safetensors", epoch=1, test_error=0.2, reconstruction_error=None, **weights
            ),
        ),
        confusion=None,
        pixels=1296,
    )


SAMPLES: dict[str, Callable[[], Result]] = {
    "count": count,
    "compare": comparison,
    "variants": variants,
    "explain": ledger,
    "check": check,
    "failed check": failed_check,
    "claims": claims,
    "joint": joint,
    "reconcile": reconciliation,
    "reconcile --model": model_reconciliation,
    "audit": audit,
    "explained audit": explained_audit,
    "unknown audit": unknown_audit,
    "audits": audits,
    "report": report,
    "train-smoke": runs,
    "evaluate": evaluation,
    "evaluated run": evaluated_run,
    "train": training_run,
    "train dry run": training_estimate,
}


def reasons(value: Any) -> Iterator[Reason]:
    """Every reason anywhere in a result."""
    if isinstance(value, Reason):
        yield value
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from reasons(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from reasons(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from reasons(item)
