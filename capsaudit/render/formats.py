"""The output formats in one table, and where each goes. A renderer is imported only when its format is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from capsaudit.errors import CapsauditError
from capsaudit.render.tables import document
from capsaudit.results import Result
from capsaudit.validation import nearest


def write(result: Result, format: str) -> None:
    """Print a result on standard output: `rich`, `json`, `markdown`, `csv`, and for what holds claims `github`, `junit`, `sarif`."""
    if format == "rich":
        from capsaudit.render.terminal import show

        show(document(result))
    else:
        print(as_text(result, format))


def as_text(result: Result, format: str) -> str:
    """A result in a format that does not depend on the terminal."""
    match format:
        case "json":
            from capsaudit.render.json import as_json

            return as_json(result)
        case "markdown":
            from capsaudit.render.markdown import markdown

            return markdown(document(result))
        case "csv":
            from capsaudit.render.csv import as_csv

            return as_csv(document(result))
        case "github":
            from capsaudit.render.github import github

            return github(result)
        case "junit":
            from capsaudit.render.junit import junit

            return junit(result)
        case "sarif":
            from capsaudit.render.sarif import sarif

            return sarif(result)
        case _:
            raise ValueError(format)


def as_plain(result: Result, *, width: int = 120) -> str:
    """A result as a terminal without colours shows it."""
    import io

    from capsaudit.render.terminal import PipeConsole, show

    stream = io.StringIO()
    show(document(result), PipeConsole(file=stream, highlight=False, width=width, color_system=None))
    return stream.getvalue().rstrip()


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
