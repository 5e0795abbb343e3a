"""Which format goes where, when one run writes several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from capsaudit.errors import CapsauditError
from capsaudit.validation import nearest

FORMATS = ("rich", "json", "markdown", "csv", "github", "junit", "sarif")


def destinations(formats: Sequence[str], outputs: Sequence[str]) -> list[tuple[str, Path | None]]:
    """Formats and outputs in pairs, in the order given; None is standard output, which takes one.

    >>> destinations(["sarif", "github"], ["log.sarif"])
    [('sarif', PosixPath('log.sarif')), ('github', None)]

    Raises:
        CapsauditError: an unknown format, more outputs than formats, or more than one format without an output of its own.
    """
    for format in formats:
        if format not in FORMATS:
            raise CapsauditError(f"no format {format!r}; {nearest(format, FORMATS)}")
    if len(outputs) > len(formats):
        raise CapsauditError(
            f"{len(outputs)} times --output and {len(formats)} times --format; expected a --format for each"
        )
    paths = [None if output == "-" else Path(output) for output in outputs]
    pairs = list(zip(formats, [*paths, *[None] * (len(formats) - len(paths))], strict=True))
    printed = [format for format, path in pairs if path is None]
    if len(printed) > 1:
        raise CapsauditError(
            f"{' and '.join(printed)} would both go to standard output; give --output FILE for all but one"
        )
    return pairs
