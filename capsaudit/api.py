"""The verbs as functions of variants by name, path or value. What they return is frozen, and a notebook shows it as tables.

Each verb imports what it needs when it is called; torch comes in with the witnesses `torch` and `torchinfo` and with `build`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capsaudit.catalogue import Variant, load_all, load_variant
from capsaudit.errors import CapsauditError
from capsaudit.results import Check, Comparison, Count, Ledger, Listing, Runs
from capsaudit.witnesses import WITNESSES

if TYPE_CHECKING:
    from capsaudit.data.dataset import Dataset
    from capsaudit.data.mnist import Progress
    from capsaudit.models.network import Baseline, CapsNet
    from capsaudit.train.smoke import Plan
    from capsaudit.verbs.training import Watcher

__all__ = [
    "CapsauditError",
    "Check",
    "Comparison",
    "Count",
    "Ledger",
    "Listing",
    "Runs",
    "Variant",
    "build",
    "check",
    "compare",
    "count",
    "explain",
    "load_variant",
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
