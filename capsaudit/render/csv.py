"""The main table of a result as CSV: raw numbers, no marks, an empty field where there is nothing."""

from __future__ import annotations

import csv
import io

from capsaudit.render.tables import document
from capsaudit.results import Result


def as_csv(result: Result) -> str:
    """Comma-separated values with a heading line (RFC 4180, but lines end with a line feed)."""
    grid = document(result).main_table
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(column.name for column in grid.columns)
    writer.writerows([["" if cell.raw is None else cell.raw for cell in row] for row in grid.rows])
    return stream.getvalue().rstrip("\n")
