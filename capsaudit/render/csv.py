"""The main table of a document as CSV: raw numbers, no marks, an empty field where there is nothing."""

from __future__ import annotations

import csv
import io

from capsaudit.render.document import Document


def as_csv(document: Document) -> str:
    """Comma-separated values with a heading line (RFC 4180, but lines end as on this machine)."""
    grid = document.main_grid
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(column.name for column in grid.columns)
    writer.writerows([["" if cell.raw is None else cell.raw for cell in row] for row in grid.rows])
    return stream.getvalue().rstrip("\n")
