"""The verbs as functions of variants by name, path or value. What they return is frozen, and a notebook shows it as tables.

Each verb imports what it needs when it is called; torch comes in with the witnesses `torch` and `torchinfo` and with `build`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capsaudit.catalogue import Variant, load_all, load_variant
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
from capsaudit.witnesses import WITNESSES

if TYPE_CHECKING:
    from torch import nn

    from capsaudit.catalogue.model_claims import TargetClaimsFile
    from capsaudit.commands.train_smoke import Watcher
    from capsaudit.data.dataset import Dataset
    from capsaudit.data.mnist import Progress
    from capsaudit.inventory import Inventory
    from capsaudit.models.network import Baseline, CapsNet
    from capsaudit.train.smoke import Plan

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

AnyVariant = Variant | str | Path
"""A variant, the id of a shipped one, or the path of a file."""


def variants() -> Listing:
    """The shipped variants: what each is, its total and the figure stated for it."""
    from capsaudit.commands.variants import list_variants

    return list_variants(load_all())


def shipped_ids() -> tuple[str, ...]:
    """Ids of the shipped variants, in the order in which they are shown."""
    return tuple(variant.id for variant in load_all())


def count(variant: AnyVariant, *, witnesses: Sequence[str] | None = None) -> Count:
    """One variant, layer by layer: shapes, formula, trainable, frozen, stated, verdict.

    Raises:
        CapsauditError: the variant cannot be read or counted.
    """
    from capsaudit.commands.count import count

    return count(_variant(variant), witnesses=witnesses or WITNESSES)


def compare(*variants: AnyVariant, witnesses: Sequence[str] | None = None) -> Comparison:
    """Several variants side by side, all shipped ones without arguments, and which stated figures their totals print as.

    Raises:
        CapsauditError: a variant cannot be read or counted.
    """
    from capsaudit.commands.compare import compare

    shipped = load_all()
    chosen = [_variant(variant) for variant in variants] or shipped
    return compare(chosen, witnesses=witnesses or WITNESSES, stated_by=shipped)


def explain(start: AnyVariant, end: AnyVariant) -> Ledger:
    """The ledger: each changed knob with the exact difference it makes, adding up to the difference of the totals.

    Raises:
        CapsauditError: a variant cannot be read.
    """
    from capsaudit.commands.explain import explain

    return explain(_variant(start), _variant(end))


def check(*variants: AnyVariant, witnesses: Sequence[str] | None = None) -> Check:
    """Hold every stated count and shape against what is counted, for all shipped variants without arguments.

    Raises:
        CapsauditError: a variant cannot be read, or states nothing that could be checked.
    """
    from capsaudit.commands.check import check

    return check([_variant(variant) for variant in variants] or load_all(), witnesses=witnesses or WITNESSES)


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
    from capsaudit.catalogue.spaces import load_space
    from capsaudit.commands.reconcile import reconcile
    from capsaudit.published import parse_figure
    from capsaudit.spec import family

    parsed, variant = parse_figure(figure), _variant(start)
    asked = witnesses or WITNESSES
    _expect_witnesses(asked)
    return reconcile(
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
    from capsaudit.catalogue.claims import load_all_claims, load_claims
    from capsaudit.catalogue.spaces import load_space, load_spaces
    from capsaudit.commands.joint import sources_testimony

    chosen = [load_claims(source) for source in sources] or load_all_claims()
    spaces = load_spaces()
    if space is not None:
        own = load_space(space)
        spaces[own.family] = own
    return sources_testimony(chosen, spaces)


def claims(*sources: str | Path, witnesses: Sequence[str] | None = None) -> Claims:
    """Every claim of these sources, of all shipped ones without arguments, with its verdict and the computed reason.

    A source is a shipped id or a file of your own.

    Raises:
        CapsauditError: claims that cannot be read or judged.
    """
    from capsaudit.catalogue.claims import load_all_claims, load_claims
    from capsaudit.commands.claims import claims

    _expect_witnesses(asked := witnesses or WITNESSES)
    chosen = [load_claims(source) for source in sources] or load_all_claims()
    return claims(chosen, load_all(), load_all_claims(), witnesses=asked)


def audit(
    model: nn.Module,
    *,
    inputs: tuple[Any, ...] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    against: AnyVariant | None = None,
    claims: Sequence[str | Path] = (),
    policy: str = "stored",
    name: str | None = None,
) -> Audit:
    """Count a live module, name the reading that it is, and judge claims about it. The module stays as it is.

    With `inputs` (and `kwargs` of its forward) it is run once: lazy modules are materialised in a copy, and what a gradient reaches is
    compared with what is registered.

    Raises:
        CapsauditError: it cannot be counted or run, or a claim cannot be read.
    """
    from capsaudit.inspection.module import taken

    inventory = taken(model, name or type(model).__name__, inputs=inputs, kwargs=kwargs)
    return _audited(inventory, against, claims, policy)


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
) -> Audit:
    """The same for a target by name: `package.module:Name`, `path/file.py:Name` (both run that code), a .safetensors file or a state dict.

    A .claims.toml stands for the target that it names, held against its claims; its path begins in the file's folder, and what is given
    here goes before what the file says. What the target prints goes to standard error. `write_variant` names the file for its reading.

    Raises:
        CapsauditError: it cannot be loaded, counted or run, a claim cannot be read, or the variant cannot be written.
    """
    from capsaudit.inspection.load import load
    from capsaudit.inventory import STORED

    if target.endswith(".claims.toml"):
        file, path = _named_target(target), Path(target)
        inventory = load(
            str(file.target),
            kwargs=kwargs or file.kwargs,
            inputs=inputs or file.input,
            timeout=timeout,
            folder=path.parent,
        )
        claims, policy = (path, *claims), policy or file.policy
    else:
        inventory = load(target, kwargs=kwargs, inputs=inputs, timeout=timeout)
    result = _audited(inventory, against, claims, policy or STORED)
    if write_variant is not None:
        _write_variant(inventory, against, write_variant)
    return result


def _named_target(path: str) -> TargetClaimsFile:
    from capsaudit.catalogue.model_claims import load_target_claims

    file = load_target_claims(path).file
    if file.target is None:
        raise CapsauditError(
            f'{path}: target is missing; say which model the claims are about: target = "models.py:Net"'
        )
    return file


def assert_counts(model: nn.Module | str, stated: Mapping[str, str | int], *, policy: str = "stored") -> None:
    """Assert figures of a module (or target), as printed: `{"total": "8.2M", "conv1": 20992, "decoder.*": "1.4M"}`.

    Raises:
        AssertionError: a figure that is not what is counted, with the table of layers.
        CapsauditError: nothing is stated, or a figure cannot be read.
    """
    from capsaudit.commands.model_claims import expect_counts
    from capsaudit.inspection.load import load
    from capsaudit.inspection.module import taken

    inventory = load(model) if isinstance(model, str) else taken(model, type(model).__name__)
    expect_counts(inventory, stated, policy)


def _audited(inventory: Inventory, against: AnyVariant | None, claims: Sequence[str | Path], policy: str) -> Audit:
    from capsaudit.catalogue.model_claims import load_target_claims
    from capsaudit.commands.audit import audit

    return audit(
        inventory,
        load_all(),
        against=None if against is None else _variant(against),
        claims=[load_target_claims(path) for path in claims],
        policy=policy,
    )


def _write_variant(inventory: Inventory, against: AnyVariant | None, path: Path) -> None:
    from capsaudit.atomic_write import write_whole
    from capsaudit.commands.write_variant import variant_toml
    from capsaudit.recognition.closest import closest

    match = closest(inventory, load_all() if against is None else (_variant(against),))
    if match is None:
        raise CapsauditError(
            f"{inventory.target}: its tensors make no network that a variant could say, so there is none to write"
        )
    write_whole(path, variant_toml(match, inventory))


def report(folder: str | Path = "reports", *, check: bool = False) -> Report:
    """Write the whole audit into a folder, or with `check` only say which of its files are not what would be written.

    Raises:
        CapsauditError: a file cannot be written.
    """
    from capsaudit.reporting.contents import gather
    from capsaudit.reporting.writing import publish

    return publish(gather(), Path(folder), check=check)


def _confirm(*asked: Any) -> bool:
    """The torch witness of an explanation; torch is imported with the first."""
    from capsaudit.commands.confirm import confirm

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
    from capsaudit.commands.train_smoke import train_smoke
    from capsaudit.train.smoke import Plan

    chosen = [_variant(variant) for variant in variants or ("article", "paper")]
    dataset = _dataset(data, data_dir, fetching)
    return train_smoke(chosen, dataset, plan or Plan(), watch=watch or (lambda *_: None), pictures=pictures)


def training_plan(*, losses: tuple[bool, bool], threads: int | None, device: str, **plan: Any) -> Plan:
    """How runs train; sets the number of threads of this process.

    Raises:
        CapsauditError: no such device.
    """
    import torch

    from capsaudit.train.losses import Objective
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
