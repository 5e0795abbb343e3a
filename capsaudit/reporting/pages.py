"""The report as an HTML page and as Markdown: the same sections, each through a template of its own."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from capsaudit.render.document import Grid
from capsaudit.render.markdown import fragments
from capsaudit.reporting.contents import ReportContents
from capsaudit.reporting.sections import TITLE, Beside, Notes, PictureFile, Section, answer, sections
from capsaudit.reporting.svg import WIDTH, Picture
from capsaudit.reporting.tables import Table

if TYPE_CHECKING:
    from jinja2 import Environment

PAGES = ("audit.md", "audit.html")


def pages(contents: ReportContents, pictures: dict[str, Picture]) -> dict[str, str]:
    """Both pages by file name. Everything that comes from data is escaped."""
    environment = _environment()
    values = _values(TITLE, answer(contents), sections(contents, pictures))
    return {name: environment.get_template(f"{name}.j2").render(values) for name in PAGES}


def markdown_page(title: str, answer: Sequence[str], sections: Sequence[Section]) -> str:
    """A page of its own, in the same form."""
    return _environment().get_template("audit.md.j2").render(_values(title, answer, sections))


def _values(title: str, answer: Sequence[str], sections: Sequence[Section]) -> dict[str, object]:
    return {"title": title, "answer": answer, "sections": sections, "width": WIDTH}


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("capsaudit.reporting"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(embedded=_embedded, markdown=_markdown, in_order=_in_order)
    environment.tests.update(
        a_table=lambda part: isinstance(part, Table),
        a_picture=lambda part: isinstance(part, Picture | PictureFile),
        beside=lambda part: isinstance(part, Beside),
        notes=lambda part: isinstance(part, Notes),
    )
    return environment


def _embedded(svg: str) -> str:
    """A picture inside the page: it needs no network, and its names cannot collide with those of another."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _in_order(section: Section) -> Iterator[str | Table | Notes | Picture | PictureFile]:
    """The parts of a section one below the other."""
    for part in section.parts:
        yield from (part.picture, *part.parts) if isinstance(part, Beside) else (part,)


def _markdown(part: str | Grid) -> str:
    """A sentence or a table as Markdown."""
    return "".join(fragments((part,)))
