"""The formats by name; each renderer is imported only when it is asked for."""

from __future__ import annotations

from capsaudit.render.documents import document
from capsaudit.results import Result


def write(result: Result, format: str) -> None:
    """Print a result on standard output: `rich`, `json`, `markdown`, `csv`, and for what holds claims `github`, `junit`, `sarif`."""
    if format == "rich":
        from capsaudit.render.text import show

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

    from capsaudit.render.text import PipeConsole, show

    stream = io.StringIO()
    show(document(result), PipeConsole(file=stream, highlight=False, width=width, color_system=None))
    return stream.getvalue().rstrip()
