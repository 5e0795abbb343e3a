"""What the report contains: results of the commands, and a digest of the data that they were computed from.

No date, no machine, no path and no commit: the same data give the same bytes wherever they are counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from capsaudit._version import __version__
from capsaudit.catalogue import load_all, load_variant, shipped
from capsaudit.catalogue.claims import claims_of
from capsaudit.catalogue.spaces import load_spaces, space_around
from capsaudit.catalogue.toml_files import Kind
from capsaudit.commands.claims import claims
from capsaudit.commands.compare import compare
from capsaudit.commands.explain import explain
from capsaudit.commands.joint import joint_of_sources
from capsaudit.commands.reconcile import reconcile, torch_confirms
from capsaudit.published import parse_figure
from capsaudit.results import Claims, Comparison, Joint, Ledger, Reconciliation
from capsaudit.results.base import SCHEMA

LEDGER = ("article", "multimnist")
"""From the article's count to the figure that it is compared with."""

SEARCHED = (
    ("11.36M", "paper"),
    ("8.2M", "paper"),
    ("6.8M", "paper"),
    ("6741008", "paper"),
    ("35.4M", "baseline-mnist"),
    ("24.56M", "baseline-multimnist"),
)
"""Figures and the variants that their explanations start from: the paper's five, and what two counting tools report."""

_LISTED = 5
_KINDS: tuple[Kind, ...] = ("variants", "spaces", "claims")


class ReportContents(Struct, frozen=True, kw_only=True):
    """Everything that the report shows. `digest`: of the data. `sources`: the titles of those whose claims are judged, by name."""

    schema: int = SCHEMA
    capsaudit: str
    digest: str
    sources: dict[str, str]
    comparison: Comparison
    ledger: Ledger
    claims: Claims
    joint: Joint
    reconciliations: tuple[Reconciliation, ...]


def gather() -> ReportContents:
    """Count, judge and search everything shipped, by all witnesses.

    Raises:
        CapsauditError: shipped data that cannot be read or judged.
    """
    variants, claimed = load_all(), claims_of(())
    return ReportContents(
        capsaudit=__version__,
        digest=digest(),
        sources={source.name: source.title for source in claimed},
        comparison=compare(variants, stated_by=variants),
        ledger=explain(*map(load_variant, LEDGER)),
        claims=claims(claimed, variants, claimed),
        joint=joint_of_sources(claimed, load_spaces()),
        reconciliations=tuple(_reconciliations()),
    )


def digest() -> str:
    """SHA-256 over the shipped files in the order of their names, independent of how a checkout ends its lines.

    >>> len(digest())
    64
    """
    hashed = hashlib.sha256()
    for kind in _KINDS:
        for name, path in sorted(shipped(kind).items()):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            hashed.update(f"{kind}/{name} {len(content)}\n".encode())
            hashed.update(content)
    return hashed.hexdigest()


def _reconciliations() -> Iterator[Reconciliation]:

    for figure, name in SEARCHED:
        start = load_variant(name)
        found = reconcile(
            parse_figure(figure), start, space_around(start), load_all(), top=_LISTED, confirm=torch_confirms
        )
        yield _rounded(found)


def _rounded(found: Reconciliation) -> Reconciliation:
    """Chance to six digits: the last bits of a sum of floats are not the same on every machine."""
    groups = (
        msgspec.structs.replace(group, expected_by_chance=float(f"{group.expected_by_chance:.6g}"))
        for group in found.by_changes
    )
    return msgspec.structs.replace(found, by_changes=tuple(groups))
