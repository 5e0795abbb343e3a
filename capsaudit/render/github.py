"""A check as GitHub workflow commands: one annotation a failure."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.render.documents import setting
from capsaudit.results import Check, Failure


def github(check: Check) -> str:
    """`::error` lines, or one `::notice` that says how much was checked."""
    return "\n".join(_lines(check))


def _lines(check: Check) -> Iterator[str]:
    for failure in check.failures:
        yield f"::error title={_property(_title(failure))}::{_message(message(failure))}"
    if check.agrees:
        yield f"::notice title=capsaudit::{check.checked:,} statements about {len(check.variants):,} variants hold"


def message(failure: Failure) -> str:
    """A failure in one sentence."""
    return f"{failure.what}: expected {setting(failure.expected)}, found {setting(failure.found)}"


def _title(failure: Failure) -> str:
    return f"capsaudit {failure.variant}" + (f" {failure.layer}" if failure.layer else "")


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
