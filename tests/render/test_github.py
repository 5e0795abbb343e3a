"""Annotations of GitHub: one line each, at the place where the claim is made."""

import re
from collections.abc import Callable

import msgspec
import pytest

from capsaudit.catalogue import shipped
from capsaudit.inventory import Finding
from capsaudit.render.github import github
from capsaudit.results import Result
from tests.render.samples import audit, check, claims, explained_audit, failed_check, unknown_audit

COMMAND = re.compile(r"::(?P<level>error|warning|notice) (?P<properties>[^:]*)::(?P<text>.*)")


def annotations(result: Result) -> list[dict[str, str]]:
    found = [COMMAND.fullmatch(line) for line in github(result).splitlines()]
    return [match.groupdict() for match in found if match]


@pytest.mark.parametrize("sample", [audit, check, claims, explained_audit, failed_check, unknown_audit])
def test_every_line_is_a_command(sample: Callable[[], Result]) -> None:
    assert len(annotations(sample())) == len(github(sample()).splitlines()) > 0


def test_what_holds_is_one_notice_that_says_how_much() -> None:
    assert github(check()) == f"::notice title=capsaudit::{check().checked:,} statements about 2 variants hold"


def test_what_does_not_hold_is_an_error_each() -> None:
    found = annotations(failed_check())
    assert [each["level"] for each in found] == ["error"] * len(failed_check().failures)
    place = re.compile(r"file=variants/paper.toml,line=(\d+),title=capsaudit wrong conv1")
    lines = shipped()["paper"].read_text().splitlines()
    stated = [lines[int(match[1]) - 1] for each in found if (match := place.fullmatch(each["properties"]))]
    assert stated
    assert all(line.startswith("conv1 ") for line in stated)


def test_a_claim_in_a_file_is_annotated_at_its_line() -> None:
    claim = msgspec.structs.replace(audit().claims[-1], file="a,b:c.toml", line=7)
    found = annotations(msgspec.structs.replace(audit(), claims=(claim,)))
    assert found[0]["properties"].startswith("file=a%2Cb%3Ac.toml,line=7,title=capsaudit ")


def test_texts_cannot_end_their_line_or_become_a_command() -> None:
    """GitHub turns %0A into a line break again; names have none any more, and a percent sign is text."""
    finding = Finding(kind="unused", path="a", message="100%\n::error::injected\r %0A")
    text = github(msgspec.structs.replace(unknown_audit(), warnings=(finding,)))
    assert text.splitlines()[0] == r"::warning title=capsaudit unused a::100%25\n:\x3aerror:\x3ainjected\r %250A"


def test_nothing_to_compare_with_is_said() -> None:
    nothing = msgspec.structs.replace(unknown_audit(), warnings=())
    assert github(nothing) == "::notice title=capsaudit::nothing to compare with"
