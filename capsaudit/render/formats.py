"""The output formats in one table, and where each goes. A renderer is imported only when its format is used."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from capsaudit.errors import CapsauditError

if TYPE_CHECKING:
    from capsaudit.results import Result

TableFormat = Literal["rich", "json", "markdown", "csv"]
"""What every result can be shown in."""

PaperFormat = Literal[TableFormat, "latex"]
"""Those of counts and comparisons."""

GateFormat = Literal[TableFormat, "github", "junit", "sarif"]
"""Those of results that have cases for CI servers."""

Format = Literal[TableFormat, "latex", "github", "junit", "sarif"]
"""All of them, which claims have."""

FORMATS: dict[Format, str] = {
    "rich": "terminal.plain",
    "json": "json.as_json",
    "markdown": "markdown.as_markdown",
    "csv": "csv.as_csv",
    "latex": "latex.latex",
    "github": "github.github",
    "junit": "junit.junit",
    "sarif": "sarif.sarif",
}
"""The module and the function that give the text of a result. On standard output, `rich` adapts to the terminal."""


GATE_FORMATS: tuple[GateFormat, ...] = ("rich", "json", "markdown", "csv", "github", "junit", "sarif")


def write(result: Result, format: Format) -> None:
    """Print a result on standard output."""
    if format == "rich":
        from capsaudit.render.tables import document
        from capsaudit.render.terminal import show

        show(document(result))
    else:
        print(as_text(result, format))


def as_text(result: Result, format: Format) -> str:
    """A result in a format, independent of the terminal."""
    return _render(FORMATS[format], result)


def plain(result: Result) -> str:
    """A result as a terminal without colours shows it: what `print` shows."""
    return _render("terminal.plain", result)


def html(result: Result) -> str:
    """A result as an HTML fragment: what a notebook shows."""
    return _render("html.html", result)


def one_line(result: Result) -> str:
    """A result in one line: its `repr`."""
    from capsaudit.render.tables import document

    return f"<{type(result).__name__} {' '.join(document(result).title.split())}>"


def _render(renderer: str, result: Result) -> str:
    module, _, function = renderer.partition(".")
    text: str = getattr(import_module(f"capsaudit.render.{module}"), function)(result)
    return text


def destinations(formats: Sequence[str], outputs: Sequence[str]) -> list[tuple[GateFormat, Path | None]]:
    """Formats of an audit and outputs in pairs, in the order given; None is standard output, which takes one.

    >>> [(format, path and path.name) for format, path in destinations(["sarif", "github"], ["log.sarif"])]
    [('sarif', 'log.sarif'), ('github', None)]

    Raises:
        CapsauditError: an unknown format, more outputs than formats, or more than one format without an output of its own.
    """
    names = [_known(name) for name in formats]
    if len(outputs) > len(names):
        raise CapsauditError(
            f"{len(outputs)} times --output and {len(names)} times --format; expected a --format for each"
        )
    paths = [None if output == "-" else Path(output) for output in outputs]
    pairs = list(zip(names, [*paths, *[None] * (len(names) - len(paths))], strict=True))
    printed = [format for format, path in pairs if path is None]
    if len(printed) > 1:
        raise CapsauditError(
            f"{' and '.join(printed)} would both go to standard output; give --output FILE for all but one"
        )
    return pairs


def _known(name: str) -> GateFormat:
    from capsaudit.validation import expect_known

    expect_known("format", name, GATE_FORMATS)
    return next(format for format in GATE_FORMATS if format == name)
