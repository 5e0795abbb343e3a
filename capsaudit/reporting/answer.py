"""What the report leads with: whose figure is right.

The sentences take their numbers from the audit; that they are true of it is held by tests.
"""

from __future__ import annotations

from capsaudit.render.document import number
from capsaudit.render.documents import setting
from capsaudit.reporting.contents import WrittenAudit

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
