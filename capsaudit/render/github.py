"""Cases as GitHub workflow commands: one annotation for each thing that does not hold, at the line where it was stated."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.cases import Case, Said, cases
from capsaudit.results import Check, Result


def github(result: Result) -> str:
    """`::error` and `::warning` lines, and one `::notice` that says how much holds where nothing is wrong."""
    return "\n".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    found = cases(result)
    for case in found:
        yield from (_command(case, said) for said in case.messages if case.level)
    if not any(case.level == "error" for case in found):
        yield f"::notice title=capsaudit::{_held(result, found)}"


def _command(case: Case, said: Said) -> str:
    place = f"file={_property(case.file)},line={case.line}," if case.file else ""
    title = f"{case.title} {said.about}".strip()
    return f"::{case.level} {place}title={_property(title)}::{_message(said.text)}"


def _held(result: Result, found: tuple[Case, ...]) -> str:
    if isinstance(result, Check):
        return f"{result.checked:,} statements about {len(result.variants):,} variants hold"
    held = sum(not case.level for case in found)
    return f"{held:,} of {held:,} claims hold" if held else "counted, but held against nothing"


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str | None) -> str:
    return _message(text or "").replace(":", "%3A").replace(",", "%2C")
