"""The report as sections, in reading order: the answer first, then sentences, tables and pictures, the same on every page.

Sentences take their numbers from the results; tests check that they are true of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from capsaudit.render.document import number, separated
from capsaudit.render.tables import document, setting
from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.svg import Picture
from capsaudit.reporting.tables import (
    Table,
    agreeing,
    arranged,
    claims_of,
    evidence,
    networks,
    paper_figures,
    summaries,
)
from capsaudit.results import Reconciliation

TITLE = "How large is Hinton's capsule network?"

_QUESTION = ("question", "allowed", "excluded")
_EXPLANATION = ("changes", "total", "what changes", "evidence", "variant")
"""The columns that come first."""


class Notes(Struct, frozen=True):
    """Sentences as a list."""

    sentences: tuple[str, ...]


class Beside(Struct, frozen=True):
    """A picture, and what is beside it where there is room; below it where there is none."""

    picture: Picture
    parts: tuple[Table | Notes, ...]


class PictureFile(Struct, frozen=True):
    """A picture that is there already. `file`: its address relative to the page."""

    file: str
    description: str


class Section(Struct, frozen=True):
    """A heading, and what is below it. `key` is its anchor."""

    key: str
    title: str
    parts: tuple[str | Table | Notes | Beside | PictureFile, ...]


def answer(contents: ReportContents) -> tuple[str, ...]:
    """The two figures, and who is right."""
    ledger = contents.ledger
    start, end = ledger.start_total, ledger.start_total + ledger.difference
    totals = {counted.variant: counted for counted in contents.comparison.variants}
    paper, image = totals["paper"], ledger.steps[-1]
    where = " and ".join(f"{number(part.difference, signed=True).text} in {part.layer}" for part in image.layers)
    return (
        f"The article counts {start:,} parameters in the capsule network and remarks that the paper gives "
        f"{totals['multimnist'].stated}. Both figures are right, but for different networks.",
        f"The article's arithmetic is right, but {start - paper.trainable:,} of the values that it counts are routing logits and coupling "
        f"coefficients, which the paper does not train. The paper's network for MNIST has {paper.trainable:,} parameters, which "
        f"rounds to {paper.stated}; so does the article's total.",
        f"{totals['multimnist'].stated} is the count of the paper's network for MultiMNIST: the same layers on images of "
        f"{setting(image.after)}×{setting(image.after)} pixels instead of {setting(image.before)}×{setting(image.before)}, "
        f"{end:,} parameters. The larger image adds {image.difference:,} parameters: {where}.",
    )


def sections(contents: ReportContents, pictures: dict[str, Picture]) -> tuple[Section, ...]:
    """Everything below the answer."""
    return (
        _figures(contents),
        _ledger(contents, pictures["waterfall.svg"]),
        _claims(contents),
        _questions(contents),
        _networks(contents, pictures["layers.svg"]),
        _intervals(contents, pictures["figures.svg"]),
        _interpretations(contents),
        _method(contents),
    )


def _figures(contents: ReportContents) -> Section:
    definition = (
        "A figure agrees when the exact count rounds to it, half up, at the figure's own precision. Where other networks round to the "
        "same figure, they are named: the figure does not distinguish them."
    )
    return Section("figures", "The paper's five figures", (definition, paper_figures(contents)))


def _ledger(contents: ReportContents, picture: Picture) -> Section:
    shown, ledger = document(contents.ledger), contents.ledger
    end = separated(next(f.stated for f in contents.comparison.figures if f.about == ledger.end))
    title = f"From {ledger.start_total:,} to {end}"
    table = Table("The steps, knob by knob", shown.table("steps"))
    return Section("ledger", title, (Beside(picture, (table, Notes(shown.sentences))),))


def _claims(contents: ReportContents) -> Section:
    claims = contents.claims.claims
    verdicts = Counter(claim.verdict for claim in claims)
    counts = ", ".join(f"{verdict} {count}" for verdict, count in verdicts.items())
    judged = f"{len(claims)} claims were compared with the networks. Verdicts: {counts}."
    legend = (
        "Misattributed: true, but of another network. Contradicted: the source's own numbers, or the paper, say otherwise. Disagrees: the "
        "count, or the network that was run, says otherwise. Outdated: true when it was written. Approximate: the count agrees only if the "
        "figure was cut instead of rounded, or if its trailing zeros are not significant."
    )
    tables = (claims_of(contents, source) for source in dict.fromkeys(claim.source for claim in claims))
    notes = Notes(tuple(evidence(contents)))
    return Section(
        "claims", "Claim by claim", (judged, legend, *tables, "How it is known that a source states it:", notes)
    )


def _questions(contents: ReportContents) -> Section:
    shown, questions = document(contents.joint), contents.joint.questions
    undecided = sum(not question.decided for question in questions)
    counted = (
        f"The paper's text leaves {len(questions)} questions open that affect a count. Its figures together decide "
        f"{len(questions) - undecided} of them; the other {undecided} stay open."
    )
    table = Table(
        "Each question, the answers that all figures allow, and those that a figure excludes",
        arranged(shown.table("questions"), *_QUESTION),
    )
    return Section("questions", "What the paper's figures decide", (counted, table, Notes(shown.sentences)))


def _networks(contents: ReportContents, picture: Picture) -> Section:
    counted = f"{len(contents.comparison.variants)} networks, each counted layer by layer by every witness."
    parts = (counted, networks(contents.comparison), Beside(picture, (summaries(contents.comparison),)))
    return Section("networks", "The networks, layer by layer", parts)


def _intervals(contents: ReportContents, picture: Picture) -> Section:
    definition = (
        "A published figure stands for every whole number that rounds to it. The figure does not distinguish totals within this "
        "interval; totals outside of it are excluded."
    )
    return Section(
        "intervals",
        "Which totals round to which figure",
        (definition, Beside(picture, (agreeing(contents.comparison),))),
    )


def _interpretations(contents: ReportContents) -> Section:
    method = (
        "For each figure all interpretations of a network were counted, and those that round to it are listed, those with "
        "the fewest changes first, beside the number that would be expected by chance. Evidence is strong if fewer than 0.1 explanations with "
        "as many changes are expected by chance, weak if fewer than 1, none otherwise; an explanation is redundant if an earlier one needs only a "
        "subset of its changes. The assumption cost is a sum over the changes: 0 for a value that the paper states, 1 for one that another "
        "published source states, 2 for one that the text merely leaves open."
    )
    parts = (part for found in contents.reconciliations for part in _search(found))
    return Section("interpretations", "Every interpretation that would explain a figure", (method, *parts))


def _search(found: Reconciliation) -> Iterator[str | Table | Notes]:
    shown = document(found)
    yield Table(shown.title, arranged(shown.table("explanations"), *_EXPLANATION))
    yield Notes(shown.sentences)
    caption = f"{separated(found.figure)}: explanations found, beside those expected by chance"
    yield Table(caption, shown.table("by changes"))


def _method(contents: ReportContents) -> Section:
    witnesses = ", ".join(contents.comparison.variants[0].witnesses)
    return Section(
        "method",
        "How it was counted",
        (
            f"By capsaudit {contents.capsaudit}. Each network is a small data file; its layers are counted by witnesses that "
            f"share no code: {witnesses} (closed-form arithmetic, the parameters of the built module, and a tool that summarises it).",
            f"SHA-256 of the variant, space and claims files: {contents.digest}. The same files always give an identical report.",
            "Written by capsaudit report. To check that it is up to date: capsaudit report --check. All numbers on this page are "
            "in audit.json.",
        ),
    )
