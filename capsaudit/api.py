"""The commands as functions of variants by id, path or value. Results are frozen; `print` and notebooks show them as tables.

Each function resolves its arguments and calls the command, which is imported then; torch is imported with the witnesses `torch` and
`torchinfo`, with `build`, with models and with training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capsaudit import results
from capsaudit.catalogue import Variant, load_all, load_variant
from capsaudit.errors import CapsauditError
from capsaudit.inventory import NONZERO
from capsaudit.results import *  # noqa: F403
from capsaudit.train.plan import Plan
from capsaudit.train.protocol import Protocol
from capsaudit.validation import expect_known
from capsaudit.witnesses import WITNESSES

if TYPE_CHECKING:
    from torch import nn

    from capsaudit.commands.train import Watcher as RunWatcher
    from capsaudit.commands.train_smoke import Watcher
    from capsaudit.data.mnist import Progress as FetchProgress
    from capsaudit.models import Network

__all__ = [
    "CapsauditError",
    "Plan",
    "Protocol",
    "Variant",
    "assert_counts",
    "assert_same_function",
    "audit",
    "audit_target",
]
__all__ += [
    "audit_targets",
    "build",
    "check",
    "claims",
    "compare",
    "count",
    "estimate_training",
    "evaluate",
    "explain",
    "load_variant",
]
__all__ += ["reconcile", "reconcile_jointly", "reconcile_model", "report"]
__all__ += ["train", "train_smoke", "variants", *results.__all__]

AnyVariant = Variant | str | Path
"""A variant, the id of a shipped one, or the path of a file."""


def variants() -> results.VariantList:
    """The shipped variants: what each is, its total and the figure stated for it."""
    from capsaudit.commands.variants import list_variants

    return list_variants(load_all())


def count(variant: AnyVariant, *, witnesses: Sequence[str] | None = None) -> results.Count:
    """One variant, layer by layer: shapes, formula, trainable, frozen, stated, verdict.

    Raises:
        CapsauditError: the variant cannot be read or counted.
    """
    from capsaudit.commands.count import count

    return count(_variant(variant), witnesses=witnesses or WITNESSES)


def compare(*variants: AnyVariant, witnesses: Sequence[str] | None = None) -> results.Comparison:
    """Several variants side by side, all shipped ones without arguments, and which stated figures their totals agree with.

    Raises:
        CapsauditError: a variant cannot be read or counted.
    """
    from capsaudit.commands.compare import compare

    shipped = load_all()
    return compare(
        [_variant(each) for each in variants] or shipped, witnesses=witnesses or WITNESSES, stated_by=shipped
    )


def explain(start: AnyVariant, end: AnyVariant) -> results.Ledger:
    """The ledger: each changed knob with the exact difference it makes, adding up to the difference of the totals.

    Raises:
        CapsauditError: a variant cannot be read.
    """
    from capsaudit.commands.explain import explain

    return explain(_variant(start), _variant(end))


def check(*variants: AnyVariant, witnesses: Sequence[str] | None = None) -> results.Check:
    """Compare every stated count and shape with what is counted, for all shipped variants without arguments.

    Raises:
        CapsauditError: a variant cannot be read, or states nothing that could be checked.
    """
    from capsaudit.commands.check import check

    return check([_variant(each) for each in variants] or load_all(), witnesses=witnesses or WITNESSES)


def reconcile(
    figure: str,
    *,
    start: AnyVariant | None = None,
    space: str | Path | None = None,
    changes_at_most: int | None = None,
    top: int = 10,
    witnesses: Sequence[str] | None = None,
    watch: Callable[[int, int], None] = lambda *_: None,
) -> results.Reconciliation:
    """What has a figure: first what is known, then which interpretations of a network agree with it, fewest changes first.

    All are counted, the first `top` listed. `start`: the network whose interpretations are searched; by default one of the family in which
    something is near. `space` names a file of your own. With the torch witness each listed explanation is counted on the built module too.

    Raises:
        CapsauditError: the figure, the variant or the space cannot be read, or the space is too large.
    """
    from capsaudit.catalogue.spaces import space_around
    from capsaudit.commands.known import as_read, known, starting_variant
    from capsaudit.commands.reconcile import confirm_by, reconcile
    from capsaudit.published import parse_positive

    parsed = parse_positive(figure)
    found, confirm = known(parsed), confirm_by(witnesses or WITNESSES)
    variant = _variant(start) if start else starting_variant(parsed, found)
    return reconcile(
        as_read(parsed, found),
        variant,
        space_around(variant, space),
        load_all(),
        known=found,
        changes_at_most=changes_at_most,
        top=top,
        confirm=confirm,
        watch=watch,
    )


def reconcile_model(
    figure: str,
    model: nn.Module | str,
    *,
    kwargs: Sequence[str] = (),
    inputs: Sequence[str] = (),
    changes_at_most: int | None = None,
    top: int = 10,
    timeout: float = 300,
    part: str | None = None,
    watch: Callable[[str, str], None] = lambda *_: None,
) -> results.ModelReconciliation:
    """The ways to count a module (or target) that have a figure, fewest changes first: without embeddings, with buffers, one submodule alone.

    At most two changes are tried by default. `kwargs`, `inputs` and `part` are those of `audit_target`, for targets only: with inputs the
    model is run, which shows what a forward pass does not use.

    Raises:
        CapsauditError: the figure cannot be read, the target cannot be loaded or run, or there are too many ways to count it.
    """
    from capsaudit.commands.reconcile_model import reconcile_model
    from capsaudit.inspection.load import inventory_of, load
    from capsaudit.published import parse_positive

    parsed = parse_positive(figure)
    inventory = (
        load(model, kwargs=kwargs, inputs=inputs, timeout=timeout, part=part, watch=watch)
        if isinstance(model, str)
        else inventory_of(model)
    )
    return reconcile_model(parsed, inventory, changes_at_most=changes_at_most, top=top)


def reconcile_jointly(*sources: str | Path, space: str | Path | None = None) -> results.Joint:
    """What the figures of these sources, of all shipped ones without arguments, decide together about the questions that texts leave open.

    Raises:
        CapsauditError: claims or spaces that cannot be read, or that have no figures or no open questions.
    """
    from capsaudit.catalogue.claims import claims_of
    from capsaudit.catalogue.spaces import load_spaces
    from capsaudit.commands.joint import joint_of_sources

    return joint_of_sources(claims_of(sources), load_spaces(space))


def claims(*sources: str | Path, witnesses: Sequence[str] | None = None) -> results.Claims:
    """Every claim of these sources, of all shipped ones without arguments, with its verdict and the computed reason.

    A source is a shipped id or a file of your own.

    Raises:
        CapsauditError: claims that cannot be read or judged.
    """
    from capsaudit.catalogue.claims import claims_of
    from capsaudit.commands.claims import claims

    return claims(claims_of(sources), load_all(), claims_of(()), witnesses=witnesses or WITNESSES)


def audit(
    model: nn.Module,
    *,
    inputs: tuple[Any, ...] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    against: AnyVariant | None = None,
    claims: Sequence[str | Path] = (),
    policy: str = "stored",
    name: str | None = None,
    behaviour: bool = True,
    properties: bool = False,
    methods: Sequence[str] = (),
    loss: str | Callable[..., object] | None = None,
) -> results.Audit:
    """Count a module, find the variant that it is, and judge claims about it. The module is not changed.

    With `inputs` (and `kwargs` of its forward) it is run once: lazy modules are materialised in a copy, and what a gradient reaches is
    compared with what is registered. With `behaviour`, copies of a capsule network with known weights are run too, to find out whether it
    computes what the variant computes. `methods` names methods that are called after forward, such as a `loss` that runs the decoder. `loss`
    is a function, `path.py:function` or the name of a method of the model: its values are compared with those of the paper's loss.
    Properties that need no reference, such as that two runs agree, are tried on capsule networks, and with `properties` on any model. They
    decide nothing.

    Raises:
        CapsauditError: it cannot be counted or run, a method or the loss does not run, a claim cannot be read, or there are no inputs to
            try properties on.
    """
    from capsaudit.commands.audit import audit_module

    chosen = _variant(against) if against else None
    model_name = name or type(model).__name__
    return audit_module(
        model,
        model_name,
        inputs,
        kwargs,
        against=chosen,
        claims=claims,
        policy=policy,
        behaviour=behaviour,
        properties=properties,
        methods=methods,
        loss=loss,
    )


def audit_target(
    target: str,
    *,
    against: AnyVariant | None = None,
    claims: Sequence[str | Path] = (),
    kwargs: Sequence[str] = (),
    inputs: Sequence[str] = (),
    policy: str | None = None,
    timeout: float = 300,
    write_variant: Path | None = None,
    write_claims: Path | None = None,
    behaviour: bool = True,
    properties: bool = False,
    methods: Sequence[str] = (),
    loss: str | None = None,
    part: str | None = None,
    base: str | None = None,
    watch: Callable[[str, str], None] = lambda *_: None,
) -> results.Audit:
    """The same for a target by name: `package.module:Name`, `path/file.py:Name` (both run that code), a file of weights, or a folder of them.

    A .claims.toml stands for the target that it names, compared with its claims; paths in it are relative to its folder, and arguments
    given here take precedence. `against` may be another target, whose network and forward pass are the reference then. Output of targets
    goes to standard error. `part` is the network to count of a file that has several, `base` the model that an adapter
    belongs to. `write_variant` names the file for its variant, `write_claims` a new file for its counts as claims. `watch` is called with a
    target and what is being done with it.

    Raises:
        CapsauditError: it cannot be loaded, counted or run, a method or the loss does not run, a claim cannot be read, or a file cannot be written.
    """
    from capsaudit.commands.audit import Options, audit_target
    from capsaudit.inspection.targets import is_target

    chosen = against if isinstance(against, str) and is_target(against) else _variant(against) if against else None
    options = Options(
        kwargs=kwargs,
        inputs=inputs,
        policy=policy,
        timeout=timeout,
        behaviour=behaviour,
        properties=properties,
        methods=methods,
        loss=loss,
        part=part,
        base=base,
    )
    return audit_target(
        target, options, against=chosen, claims=claims, write_to=write_variant, claims_to=write_claims, watch=watch
    )


def audit_targets(
    *targets: str | Path, timeout: float = 300, watch: Callable[[str, str], None] = lambda *_: None
) -> results.Audits:
    """Several targets, each compared with what its claims state; without arguments those of `[tool.capsaudit]` in pyproject.toml.

    One that cannot be audited, or about which nothing is stated, is a fault in the result.

    Raises:
        CapsauditError: no target is named, or none can be audited.
    """
    from capsaudit.catalogue.project import project_targets
    from capsaudit.commands.audit import Options, audit_targets

    return audit_targets([*map(str, targets)] or project_targets(), Options(timeout=timeout), watch=watch)


def assert_counts(
    model: nn.Module | str, stated: Mapping[str, str | int | Mapping[str, object]], *, policy: str = "stored"
) -> None:
    """Assert figures of a module (or target), as printed: `{"total": "8.2M", "conv1": 20992, "decoder.*": "1.4M"}`.

    In place of a figure may stand a table with the keys of a claim in a file: `{"total": {"stated": "85.1M", "except": ["embeddings"]}}`.

    Raises:
        AssertionError: a figure that does not agree, with the table of layers.
        CapsauditError: nothing is stated, a figure cannot be read, or a name matches nothing.
    """
    from capsaudit.commands.model_claims import judge_counts
    from capsaudit.inspection.load import inventory_of
    from capsaudit.render.failed_claims import failed_claims

    policies = [each.get("policy") for each in stated.values() if isinstance(each, Mapping)]
    inventory = inventory_of(model, nonzero=NONZERO in (policy, *policies))
    if message := failed_claims(judge_counts(inventory, stated, policy), inventory, policy):
        raise AssertionError(message)


def assert_same_function(
    model: nn.Module | str, variant: AnyVariant, *, inputs: Sequence[Any], methods: Sequence[str] = ()
) -> None:
    """Assert that a module (or target) computes what a variant computes: no stage of its forward pass differs, and every one was determined.

    `inputs` are example inputs of its forward, or their shapes as on the command line: `["1,28,28"]`. `methods` are called after it, such as a
    `loss` that runs the decoder.

    Raises:
        AssertionError: a stage that differs or that could not be determined, or a model that did not run, with the table of stages.
        CapsauditError: its tensors match no such network.
    """
    __tracebackhide__ = True
    if isinstance(model, str):
        result = audit_target(model, against=variant, inputs=inputs, methods=methods)
    else:
        from capsaudit.inspection.python.arguments import parse_inputs
        from capsaudit.inspection.python.build import example_inputs

        texts = [each for each in inputs if isinstance(each, str)]
        made, named = example_inputs(model, parse_inputs(texts)) if texts else (tuple(inputs), None)
        result = audit(model, inputs=made, kwargs=named, against=variant, methods=methods)
    if result.behaviour is None or result.behaviour.verdict != "agrees":
        because = f"{result.behaviour.because}\n\n" if result.behaviour else ""
        raise AssertionError(f"{because}{result}")


def report(folder: str | Path = "reports", *, runs: Sequence[str | Path] = (), check: bool = False) -> results.Report:
    """Write the report into a folder, or with `check` only determine which of its files are out of date.

    `runs`: folders of finished training runs, whose settings and epochs are to be kept in the report.

    Raises:
        CapsauditError: a run is not finished or damaged, or a file cannot be written.
    """
    from capsaudit.reporting.contents import gather
    from capsaudit.reporting.training.page import training_files
    from capsaudit.reporting.writing import publish, written

    training = training_files(Path(folder), [Path(run) for run in runs])
    return publish(written(gather()) | training, Path(folder), check=check)


def train_smoke(
    *variants: AnyVariant,
    steps: int = 80,
    batch_size: int = 32,
    seed: int = 0,
    rate: float = 0.001,
    margin: bool = True,
    reconstruction: bool = True,
    device: str = "cpu",
    threads: int | None = None,
    plan: Plan | None = None,
    data: str = "digits",
    data_dir: str | Path | None = None,
    pictures: str | Path | None = None,
    watch: Watcher | None = None,
    fetching: FetchProgress | None = None,
) -> results.Runs:
    """Validate variants, `article` and `paper` without arguments, by a short training run each.

    `rate` is Adam's peak learning rate; `margin` and `reconstruction` select the losses; `threads` is the number of CPU threads of this
    process, torch's choice by default. A `plan` stands for the settings from `steps` to `device`. `data` is `digits` (embedded) or `mnist`
    (fetched and cached); `data_dir` names a folder with the IDX files instead, `pictures` one that plots are written to. `watch` is called
    with a variant's id and the progress, before the first step and after each, `fetching` with a file's name, the bytes received and their total.

    Raises:
        CapsauditError: a setting is out of range or given beside a plan, a variant cannot be read, or its data cannot be had.
    """
    from capsaudit.commands.train_smoke import dataset_of, prepare, train_smoke

    given = Plan(
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        rate=rate,
        margin=margin,
        reconstruction=reconstruction,
        device=device,
    )
    if plan is not None and given != Plan():
        raise CapsauditError(
            "train_smoke: expected either a plan or its settings, for example Plan(steps=10) or steps=10"
        )
    chosen = [_variant(each) for each in variants or ("article", "paper")]
    prepare((plan or given).device, threads=threads)
    dataset = dataset_of(data, Path(data_dir) if data_dir else None, fetching)
    return train_smoke(
        chosen, dataset, plan or given, watch=watch or (lambda *_: None), pictures=Path(pictures) if pictures else None
    )


def train(
    variant: AnyVariant,
    *,
    output: str | Path,
    epochs: int | None = None,
    protocol: Protocol | None = None,
    data: str = "mnist",
    data_dir: str | Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    fork: bool = False,
    checkpoint_seconds: float = 50.0,
    pictures: str | Path | None = None,
    watch: RunWatcher | None = None,
    tell: Callable[[str], None] | None = None,
    fetching: FetchProgress | None = None,
    **settings: Any,
) -> results.TrainingRun:
    """Train a variant to its end in a folder of its own, `output`; called again, it goes on with the run that is there.

    `epochs` and `settings`, or a `protocol`, say how: `capsaudit.Protocol` documents them, the defaults are those of the paper and of the
    released code. `data` is `mnist` (fetched and cached) or `digits` (embedded); `data_dir` names a folder with the IDX files instead.
    `fork` goes on with changed settings, which are refused otherwise. `checkpoint_seconds` lie between two checkpoints; a first
    interrupt is held back until one is written. `watch` is called with the progress after each step, `tell` with what a person should
    know, `fetching` with a file's name, the bytes received and their total.

    Raises:
        CapsauditError: a setting is out of range or was changed, a file is damaged or cannot be written, or the data cannot be had.
    """
    from capsaudit.commands.train import Wanted, train
    from capsaudit.commands.train_smoke import dataset_of, prepare

    chosen, parsed = _protocol(protocol, epochs, settings), _variant(variant)
    prepare(device, threads=threads)
    dataset = dataset_of(data, Path(data_dir) if data_dir else None, fetching)
    return train(
        Wanted(parsed, dataset, chosen, Path(output), device, threads),
        fork=fork,
        checkpoint_seconds=checkpoint_seconds,
        pictures=Path(pictures) if pictures else None,
        watch=watch or (lambda _: None),
        tell=tell or (lambda _: None),
    )


def estimate_training(
    variant: AnyVariant,
    *,
    output: str | Path,
    epochs: int | None = None,
    protocol: Protocol | None = None,
    data: str = "mnist",
    data_dir: str | Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    fetching: FetchProgress | None = None,
    **settings: Any,
) -> results.TrainingEstimate:
    """What `train` would take with these arguments, or what is left of the run that is in the folder: a few steps are timed, and
    nothing is written.

    Raises:
        CapsauditError: a setting is out of range, or the data cannot be had.
    """
    from capsaudit.commands.train import Wanted, estimate
    from capsaudit.commands.train_smoke import dataset_of, prepare

    chosen, parsed = _protocol(protocol, epochs, settings), _variant(variant)
    prepare(device, threads=threads)
    dataset = dataset_of(data, Path(data_dir) if data_dir else None, fetching)
    return estimate(Wanted(parsed, dataset, chosen, Path(output), device, threads))


def evaluate(
    target: str | Path,
    *,
    model: str | None = None,
    part: str | None = None,
    data: str | None = None,
    data_dir: str | Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    watch: Callable[[str, int, int], None] | None = None,
    fetching: FetchProgress | None = None,
) -> results.Evaluation:
    """The test error of a run, with its last and its chosen weights, or of a file of weights: a checkpoint of capsaudit or of somebody else.

    Somebody's tensors are brought into capsaudit's module of the recognised network; how they are read is decided on training images, and
    the figure is of the variant, not of their code. `model` names that code, `path/file.py:Name`: it is run in a process of its own, and what
    it computes is compared with the variant. `part` is the network to read of a checkpoint that has several. `data` is `mnist` or `digits`,
    `data_dir` a folder with the IDX files; by default a run is evaluated on what it was trained with, a file on MNIST. `watch` is called with
    what is evaluated, the images done and their total.

    Raises:
        CapsauditError: there is no such run or file, it is damaged or not recognised, the images cannot be had or do not fit it, or the
            model cannot be loaded or has other parameters.
    """
    from capsaudit.commands.evaluate import Images, evaluate
    from capsaudit.commands.train_smoke import prepare

    prepare(device, threads=threads)
    images = Images(data, Path(data_dir) if data_dir else None, fetching)
    return evaluate(Path(target), images, model=model, part=part, device=device, watch=watch or (lambda *_: None))


def load(path: str | Path, *, device: str = "cpu") -> Network:
    """The module of a run, with the weights of its last checkpoint, or of a file of weights: `load("run/best.safetensors")`.

    Raises:
        FileError: there is no run, or the file is no checkpoint that capsaudit has written.
    """
    from capsaudit.train.weights import load_weights

    where = Path(path)
    return load_weights(where / "last.safetensors" if where.is_dir() else where, device=device)


def build(variant: AnyVariant, *, device: str = "cpu") -> Network:
    """The torch module of a variant. Calling it with images [batch, channels, height, width] gives class scores, and capsules and
    reconstruction where the network has them.

    Raises:
        CapsauditError: the variant cannot be read.
    """
    from capsaudit.models import build

    return build(_variant(variant).spec, device=device)


def _protocol(protocol: Protocol | None, epochs: int | None, settings: dict[str, Any]) -> Protocol:
    if (protocol is None) == (epochs is None) or (protocol is not None and settings):
        raise CapsauditError("train: expected either a protocol or its settings, for example epochs=10, seed=0")
    for name in settings:
        expect_known("setting", name, Protocol.__struct_fields__)
    return protocol or Protocol(epochs=epochs or 0, **settings)


def _variant(variant: AnyVariant) -> Variant:
    return variant if isinstance(variant, Variant) else load_variant(variant)
