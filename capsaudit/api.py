"""The verbs as functions of variants by name, path or value. What they return is frozen, and a notebook shows it as tables.

Each verb imports what it needs when it is called; torch comes in with the witnesses `torch` and `torchinfo` and with `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capsaudit.catalogue import Variant, load_all, load_variant
from capsaudit.errors import CapsauditError
from capsaudit.results import Check, Claims, Comparison, Count, Joint, Ledger, Listing, Reconciliation, Runs
from capsaudit.witnesses import WITNESSES

if TYPE_CHECKING:
    from capsaudit.data.dataset import Dataset
    from capsaudit.data.mnist import Progress
    from capsaudit.models.network import Baseline, CapsNet
    from capsaudit.report.writing import Report
    from capsaudit.train.smoke import Plan
    from capsaudit.verbs.training import Watcher

__all__ = [
    "CapsauditError",
    "Check",
    "Claims",
    "Comparison",
    "Count",
    "Joint",
    "Ledger",
    "Listing",
    "Reconciliation",
    "Runs",
    "Variant",
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


def reconcile(
    figure: str,
    *,
    start: AnyVariant = "paper",
    space: str | Path | None = None,
    changes_at_most: int | None = None,
    top: int = 10,
    witnesses: Sequence[str] | None = None,
    watch: Callable[[int, int], None] = lambda *_: None,
) -> Reconciliation:
    """Which interpretations of a network print as a figure: all are counted, the first `top` told, fewest changes first.

    `space` names a file of your own. With the torch witness each explanation that is told is counted on the built module too.

    Raises:
        CapsauditError: the figure, the variant or the space cannot be read, or the space is too large.
    """
    from capsaudit.catalogue.space import load_space
    from capsaudit.figure import parse_figure
    from capsaudit.spec import family
    from capsaudit.verbs import reconciling

    parsed, variant = parse_figure(figure), _variant(start)
    asked = witnesses or WITNESSES
    _expect_witnesses(asked)
    return reconciling.reconcile(
        parsed,
        variant,
        load_space(space or family(variant.spec)),
        load_all(),
        changes_at_most=changes_at_most,
        top=top,
        confirm=_confirm if "torch" in asked else lambda *_: None,
        watch=watch,
    )


def reconcile_jointly(*sources: str | Path, space: str | Path | None = None) -> Joint:
    """What the figures of these sources, the paper's without arguments, say together about the questions that its text leaves open.

    Raises:
        CapsauditError: claims or spaces that cannot be read, or that hold no figures or no open questions.
    """
    from capsaudit.catalogue.claims import joint_claims, load_all_claims, load_claims
    from capsaudit.catalogue.shelf import shipped
    from capsaudit.catalogue.space import load_space
    from capsaudit.verbs.testifying import joint_testimony, witnessed

    chosen = [load_claims(source) for source in sources] or load_all_claims()
    spaces = {name: load_space(name) for name in shipped("spaces")}
    if space is not None:
        own = load_space(space)
        spaces[own.family] = own
    figures = [
        witnessed(claim.id, claim.source, claim.stated or "", variant) for claim, variant in joint_claims(chosen)
    ]
    return joint_testimony(figures, spaces)


def claims(*sources: str | Path, witnesses: Sequence[str] | None = None) -> Claims:
    """Every claim of these sources, of all shipped ones without arguments, with its verdict and the computed reason.

    A source is a shipped id or a file of your own.

    Raises:
        CapsauditError: claims that cannot be read or judged.
    """
    from capsaudit.catalogue.claims import load_all_claims, load_claims
    from capsaudit.verbs import claiming

    _expect_witnesses(asked := witnesses or WITNESSES)
    chosen = [load_claims(source) for source in sources] or load_all_claims()
    return claiming.claims(chosen, load_all(), load_all_claims(), witnesses=asked)


def report(folder: str | Path = "reports", *, check: bool = False) -> Report:
    """Write the whole audit into a folder, or with `check` only say which of its files are not what would be written.

    Raises:
        CapsauditError: a file cannot be written.
    """
    from capsaudit.report.contents import gather
    from capsaudit.report.writing import publish

    return publish(gather(), Path(folder), check=check)


def _confirm(*asked: Any) -> bool:
    """The torch witness of an explanation; torch is imported with the first."""
    from capsaudit.verbs.confirming import confirm

    return confirm(*asked)


def _expect_witnesses(names: Sequence[str]) -> None:
    from capsaudit.validation import nearest

    for name in names:
        if name not in WITNESSES:
            raise CapsauditError(f"no witness {name!r}; {nearest(name, WITNESSES)}")


def train_smoke(
    *variants: AnyVariant,
    data: str = "digits",
    data_dir: Path | None = None,
    plan: Plan | None = None,
    watch: Watcher | None = None,
    fetching: Progress | None = None,
    pictures: Path | None = None,
) -> Runs:
    """Validate variants, `article` and `paper` without arguments, by a short training run each.

    `data` is `digits` (embedded) or `mnist` (fetched and cached); `data_dir` names a folder with the IDX files instead.

    Raises:
        CapsauditError: a variant cannot be read, or its data cannot be had.
    """
    from capsaudit.train.smoke import Plan
    from capsaudit.verbs.training import train_smoke

    chosen = [_variant(variant) for variant in variants or ("article", "paper")]
    dataset = _dataset(data, data_dir, fetching)
    return train_smoke(chosen, dataset, plan or Plan(), watch=watch or (lambda *_: None), pictures=pictures)


def training_plan(*, losses: tuple[bool, bool], threads: int | None, device: str, **plan: Any) -> Plan:
    """How runs train; sets the number of threads of this process.

    Raises:
        CapsauditError: no such device.
    """
    import torch

    from capsaudit.train.objective import Objective
    from capsaudit.train.smoke import Plan

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CapsauditError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    if threads:
        torch.set_num_threads(threads)
    return Plan(device=device, objective=Objective(*losses), **plan)


def _dataset(data: str, folder: Path | None, fetching: Progress | None) -> Dataset:
    from capsaudit.data.digits import load_digits
    from capsaudit.data.mnist import fetch_mnist, load_mnist

    if folder is not None:
        return load_mnist(folder)
    if data not in ("digits", "mnist"):
        raise CapsauditError(f"no data {data!r}; expected 'digits' or 'mnist', or a folder of IDX files")
    return load_digits() if data == "digits" else load_mnist(fetch_mnist(fetching))


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
