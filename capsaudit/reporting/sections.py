"""The report as sections, in reading order: the answer first, then sentences, tables and pictures, the same on every page.

Sentences take their numbers from the results; tests check that they are true of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from capsaudit.render.document import Grid, number
from capsaudit.render.tables import document, setting
from capsaudit.reporting.contents import WrittenAudit
from capsaudit.reporting.svg import Picture
from capsaudit.reporting.tables import (
    Table,
    arranged,
    as_said,
    claims_of,
    evidence,
    networks,
    paper_figures,
    printed_by,
    summaries,
)
from capsaudit.results import Reconciliation, Result

_QUESTION = ("question", "allowed", "excluded")
_EXPLANATION = ("changes", "total", "what changes", "weight", "variant")
"""The order of columns."""


class Notes(Struct, frozen=True):
    """Sentences that stand below each other as a list."""

    sentences: tuple[str, ...]


class Section(Struct, frozen=True):
    """A heading, and what stands below it. `key` is its anchor."""

    key: str
    title: str
    parts: tuple[str | Table | Picture | Notes, ...]


def sections(audit: WrittenAudit, pictures: dict[str, Picture]) -> tuple[Section, ...]:
    """Everything below the answer."""
    return (
        _figures(audit),
        _ledger(audit, pictures["waterfall.svg"]),
        _claims(audit),
        _questions(audit),
        _networks(audit, pictures["layers.svg"]),
        _intervals(audit, pictures["figures.svg"]),
        _searched(audit),
        _method(audit),
    )


def _figures(audit: WrittenAudit) -> Section:
    shown = (
        "A figure agrees when the exact count prints as it does at the figure's own precision, rounding half up. It is "
        "undecided where networks that differ in what they count print as it alike."
    )
    return Section("figures", "The paper's five figures", (shown, paper_figures(audit)))


def _ledger(audit: WrittenAudit, picture: Picture) -> Section:
    grid, sentences = _parts(audit.ledger)
    end = as_said(next(f.stated for f in audit.comparison.figures if f.about == audit.ledger.end))
    title = f"From {audit.ledger.start_total:,} to {end}"
    return Section("ledger", title, (picture, Table("The ledger, knob by knob", grid), Notes(sentences)))


def _claims(audit: WrittenAudit) -> Section:
    verdicts = Counter(claim.verdict for claim in audit.claims.claims)
    told = ", ".join(f"{verdict} {count}" for verdict, count in verdicts.items())
    counted = f"{len(audit.claims.claims)} claims were held against the networks. Verdicts: {told}."
    legend = (
        "Misattributed: true, but of another network. Contradicted: the source's own numbers say otherwise. Undecided: several "
        "networks print as the figure."
    )
    tables = (claims_of(audit, source) for source in dict.fromkeys(claim.source for claim in audit.claims.claims))
    return Section(
        "claims", "Claim by claim", (counted, legend, *tables, "How we know:", Notes(tuple(evidence(audit))))
    )


def _questions(audit: WrittenAudit) -> Section:
    shown = document(audit.joint)
    *_, grid = (part for part in shown.parts if isinstance(part, Grid))
    sentences = tuple(part for part in shown.parts if isinstance(part, str))
    undecided = [question for question in audit.joint.questions if not question.decided]
    counted = (
        f"The paper's text leaves {len(audit.joint.questions)} questions open that matter to a count. Its figures together "
        f"decide {len(audit.joint.questions) - len(undecided)} of them; {len(undecided)} no figure can decide."
    )
    table = Table(
        "Each question, the answers that all figures allow, and those that a figure excludes",
        arranged(grid, *_QUESTION),
    )
    return Section("questions", "What the paper's figures decide", (counted, table, Notes(sentences)))


def _networks(audit: WrittenAudit, picture: Picture) -> Section:
    count = len(audit.comparison.variants)
    shown = f"{count} networks, each counted layer by layer by every witness."
    return Section(
        "networks",
        "The networks, layer by layer",
        (shown, networks(audit.comparison), picture, summaries(audit.comparison)),
    )


def _intervals(audit: WrittenAudit, picture: Picture) -> Section:
    shown = (
        "A printed figure stands for every whole number that rounds to it. What falls into the same interval cannot be told "
        "apart by the figure; what falls beside it is excluded."
    )
    return Section("intervals", "Which totals print as which figure", (shown, picture, printed_by(audit.comparison)))


def _searched(audit: WrittenAudit) -> Section:
    shown = (
        "For each figure all interpretations of a network were counted, and those that print as it are listed, those with "
        "the fewest changes first. Beside them stands how many there would be if figures fell by chance."
    )
    parts = (part for found in audit.reconciliations for part in _search(found))
    return Section("interpretations", "Every interpretation that would explain a figure", (shown, *parts))


def _search(found: Reconciliation) -> Iterator[str | Table | Notes]:
    shown = document(found)
    told, chance = (part for part in shown.parts if isinstance(part, Grid))
    yield Table(as_said(shown.title), arranged(told, *_EXPLANATION))
    yield Notes(tuple(as_said(part) for part in shown.parts if isinstance(part, str)))
    yield Table(f"{as_said(found.figure)}: explanations found, beside those expected by chance", chance)


def _method(audit: WrittenAudit) -> Section:
    witnesses = ", ".join(audit.comparison.variants[0].witnesses)
    return Section(
        "method",
        "How it was counted",
        (
            f"By capsaudit {audit.capsaudit}. Each network is a small file of data; its layers are counted by witnesses that "
            f"share no code: {witnesses} (closed-form arithmetic, the parameters of the built module, and a tool that traces it).",
            f"The data, as SHA-256: {audit.digest}. The same data give the same bytes, on any machine.",
            "Written by capsaudit report. Whether it is up to date: capsaudit report --check. Everything on this page stands "
            "as data in audit.json.",
        ),
    )


def _parts(result: Result) -> tuple[Grid, tuple[str, ...]]:
    """The first table of a result's document, and its sentences."""
    shown = document(result)
    return shown.main_grid, tuple(part for part in shown.parts if isinstance(part, str))


TITLE = "How large is Hinton's capsule network?"


def answer(audit: WrittenAudit) -> tuple[str, ...]:
    """The two figures, and who is right."""
    start, end = audit.ledger.start_total, audit.ledger.start_total + audit.ledger.difference
    totals = {counted.variant: counted for counted in audit.comparison.variants}
    paper, image = totals["paper"], audit.ledger.steps[-1]
    where = " and ".join(f"{number(part.difference, signed=True).text} in {part.layer}" for part in image.layers)
    return (
        f"The article counts {start:,} parameters in the capsule network and remarks that the paper gives "
        f"{totals['multimnist'].stated}. Both figures are right, each about another network.",
        f"The article's sum is exact for what it counts, but {start - paper.trainable:,} of it are routing logits and coupling "
        f"coefficients, which the paper does not train. The paper's network for MNIST has {paper.trainable:,} parameters and "
        f"is printed as {paper.stated}; the article's total would be printed so too.",
        f"{totals['multimnist'].stated} is the paper's network for MultiMNIST: the same layers on images of "
        f"{setting(image.after)}×{setting(image.after)} pixels instead of {setting(image.before)}×{setting(image.before)}, "
        f"{end:,} parameters. The larger image makes {number(image.difference, signed=True).text}: {where}.",
    )
