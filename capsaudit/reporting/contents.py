"""What the report holds: the answers of the verbs, and a digest of the data that they were computed from.

No date, no machine, no path and no commit: the same data give the same bytes wherever they are counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from capsaudit import __version__
from capsaudit.catalogue import load_all, load_variant
from capsaudit.catalogue.claims import load_all_claims
from capsaudit.catalogue.spaces import load_space, load_spaces
from capsaudit.catalogue.variants import shipped
from capsaudit.published import parse_figure
from capsaudit.results import Claims, Comparison, Joint, Ledger, Reconciliation, Result
from capsaudit.spec import family

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

_TOLD = 5
_KINDS = ("", "spaces", "claims")


class WrittenAudit(Result, frozen=True, kw_only=True):
    """Everything that the report shows. `digest`: of the data. `sources`: the titles of those whose claims are judged, by name."""

    capsaudit: str
    digest: str
    sources: dict[str, str]
    comparison: Comparison
    ledger: Ledger
    claims: Claims
    joint: Joint
    reconciliations: tuple[Reconciliation, ...]


def gather() -> WrittenAudit:
    """Count, judge and search everything that is shipped, by all witnesses.

    Raises:
        CapsauditError: shipped data that cannot be read or judged.
    """
    from capsaudit.commands.claims import claims
    from capsaudit.commands.compare import compare
    from capsaudit.commands.explain import explain
    from capsaudit.commands.joint import sources_testimony

    variants, claimed = load_all(), load_all_claims()
    return WrittenAudit(
        capsaudit=__version__,
        digest=digest(),
        sources={source.name: source.title for source in claimed},
        comparison=compare(variants, stated_by=variants),
        ledger=explain(*map(load_variant, LEDGER)),
        claims=claims(claimed, variants, claimed),
        joint=sources_testimony(claimed, load_spaces()),
        reconciliations=tuple(_reconciliations()),
    )


def digest() -> str:
    """SHA-256 over the shipped files in the order of their names; how a checkout ends its lines makes no difference.

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
    from capsaudit.commands.confirm import confirm
    from capsaudit.commands.reconcile import reconcile

    for figure, name in SEARCHED:
        start = load_variant(name)
        space = load_space(family(start.spec))
        yield _rounded(reconcile(parse_figure(figure), start, space, load_all(), top=_TOLD, confirm=confirm))


def _rounded(found: Reconciliation) -> Reconciliation:
    """Chance to six digits: the last bits of a sum of floats are not the same on every machine."""
    groups = (
        msgspec.structs.replace(group, expected_by_chance=float(f"{group.expected_by_chance:.6g}"))
        for group in found.by_changes
    )
    return msgspec.structs.replace(found, by_changes=tuple(groups))
