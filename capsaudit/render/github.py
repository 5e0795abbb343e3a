"""Cases as GitHub workflow commands: one annotation for each case that does not hold, at the line where it was stated."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.cases import Case, Message, cases
from capsaudit.results import Check, Result


def github(result: Result) -> str:
    """`::error` and `::warning` lines; where nothing is wrong, one `::notice` that says how much holds."""
    return "\n".join(_lines(result))


def _lines(result: Result) -> Iterator[str]:
    found = cases(result)
    for case in found:
        yield from (_command(case, message) for message in case.messages if case.level != "none")
    if not any(case.level == "error" for case in found):
        yield f"::notice title=capsaudit::{_summary(result, found)}"


def _command(case: Case, message: Message) -> str:
    place = f"file={_property(case.file)},line={message.line or case.line}," if case.file else ""
    title = f"{case.title} {message.about}".strip()
    return f"::{case.level} {place}title={_property(title)}::{_escaped(message.text)}"


def _summary(result: Result, found: tuple[Case, ...]) -> str:
    if isinstance(result, Check):
        return f"{result.checked:,} statements about {len(result.variants):,} variant{'s' * (len(result.variants) != 1)} hold"
    holding = sum(case.level == "none" for case in found)
    return f"{holding:,} of {holding:,} claims hold" if holding else "nothing to compare with"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str | None) -> str:
    return _escaped(text or "").replace(":", "%3A").replace(",", "%2C")
