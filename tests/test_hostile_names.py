"""Names from files and models stay names: in every result, command and format, on both streams."""

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from capsaudit import api
from capsaudit.errors import CapsauditError
from capsaudit.inventory import Inventory
from capsaudit.render.failed_claims import failed_claims
from capsaudit.render.formats import FORMATS, GATE_FORMATS, Format, as_text, html, one_line
from capsaudit.render.terminal import plain
from capsaudit.results import Audit, Result
from capsaudit.text import escaped, valid
from tests.names import FIXED, FRAGMENTS, NAMES, poisoned, unsafe
from tests.processes import invoke, run
from tests.render.samples import SAMPLES

WITH_CASES = ("check", "failed check", "claims", "audit", "explained audit", "unknown audit")
SMALL = (
    *("count", "explain", "failed check", "reconcile", "explained audit", "unknown audit", "report", "train-smoke"),
    *("train", "train dry run", "evaluate", "evaluated run"),
)
"""Samples that are quick to draw; among them is one of each type, but for long ones of the same cells."""

COMMAND = re.compile(r"::(error|warning|notice) (file=[^:,]*,line=\d+,)?title=[^:,]*::[^\r\n]*")
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])

examples = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@cache
def harmless(sample: str, name: str) -> Result:
    """The sample with a name that needs no escape: outputs must have its structure."""
    result: Result = poisoned(SAMPLES[sample](), "name" if name else "")
    return result


def hostile(sample: str, name: str) -> Result:
    result: Result = poisoned(SAMPLES[sample](), name)
    return result


class Tags(HTMLParser):
    """The elements of a page, in order, without what is in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(f"{tag} {' '.join(name for name, _ in attrs)}")


def blocks(markdown: str) -> list[str]:
    """The types of blocks, and of what is within them, but for texts."""
    tokens = MARKDOWN.parse(markdown)
    inner = [child for token in tokens for child in token.children or () if not child.type.startswith("text")]
    assert all(child.content == "<br>" for child in inner if child.type == "html_inline")
    return [*(token.type for token in tokens), *(child.type for child in inner)]


def words(value: Any) -> Iterator[str]:
    """Every text of a document of JSON, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *words(item))
    elif isinstance(value, list):
        for item in value:
            yield from words(item)


@examples
@given(NAMES, st.sampled_from(SMALL), st.sampled_from([20, 40, 80, 120]))
def test_a_terminal_shows_names_within_their_lines(name: str, sample: str, width: int) -> None:
    shown = plain(hostile(sample, name), width=width)
    assert not unsafe(shown)
    assert re.sub(r"\s", "", escaped(name)) in re.sub(r"\s", "", plain(hostile(sample, name), width=100_000))


@examples
@given(NAMES, st.sampled_from(SMALL))
def test_a_representation_is_one_line(name: str, sample: str) -> None:
    shown = one_line(hostile(sample, name))
    assert not unsafe(shown)
    assert "\n" not in shown


@examples
@given(NAMES, st.sampled_from(SMALL))
def test_markdown_keeps_its_structure(name: str, sample: str) -> None:
    shown = as_text(hostile(sample, name), "markdown")
    assert not unsafe(shown)
    assert blocks(shown) == blocks(as_text(harmless(sample, name), "markdown"))
    assert not re.search(r"@|(?<!\\)\$|[a-z]://|www\.|#\d", shown)


@pytest.mark.parametrize("sample", ["explain", "reconcile", "explained audit", "train-smoke"])
def test_markdown_and_html_keep_their_structure_with_each_fragment(sample: str) -> None:
    for name in FRAGMENTS:
        assert blocks(as_text(hostile(sample, name), "markdown")) == blocks(as_text(harmless(sample, name), "markdown"))
        assert Tags(html(hostile(sample, name))).found == Tags(html(harmless(sample, name))).found


@examples
@given(NAMES, st.sampled_from(SMALL))
def test_html_keeps_its_structure(name: str, sample: str) -> None:
    shown = html(hostile(sample, name))
    assert not unsafe(shown)
    assert Tags(shown).found == Tags(html(harmless(sample, name))).found


@examples
@given(NAMES, st.sampled_from(SMALL))
def test_csv_keeps_its_fields(name: str, sample: str) -> None:
    shown = as_text(hostile(sample, name), "csv")
    assert not unsafe(shown)
    found, expected = (
        [len(row) for row in csv.reader(io.StringIO(text))] for text in (shown, as_text(harmless(sample, name), "csv"))
    )
    assert found == expected


@examples
@given(NAMES, st.sampled_from(SMALL))
def test_json_has_the_names_themselves(name: str, sample: str) -> None:
    shown = as_text(hostile(sample, name), "json")
    assert not unsafe(shown)
    assert any(word.startswith(valid(name)) and word.endswith(valid(name)) for word in words(json.loads(shown)))


@examples
@given(NAMES, st.sampled_from(WITH_CASES))
def test_servers_read_the_same_cases(name: str, sample: str) -> None:
    github, junit, sarif = (as_text(hostile(sample, name), form) for form in ("github", "junit", "sarif"))
    assert all(COMMAND.fullmatch(line) for line in github.split("\n"))
    assert github.count("\n") == as_text(harmless(sample, name), "github").count("\n")
    assert all(line.isprintable() for line in github.split("\n"))
    assert not unsafe(junit) + unsafe(sarif)
    assert [each.tag for each in ET.fromstring(junit).iter()] == [
        each.tag for each in ET.fromstring(as_text(harmless(sample, name), "junit")).iter()
    ]
    results = json.loads(sarif)["runs"][0]["results"]
    assert len(results) == len(json.loads(as_text(harmless(sample, name), "sarif"))["runs"][0]["results"])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_result_in_every_format(sample: str, form: Format) -> None:
    if form in ("github", "junit", "sarif") and sample not in WITH_CASES:
        return
    if form == "latex" and sample not in ("count", "compare", "claims"):
        return
    shown = as_text(hostile(sample, FIXED[1] + FIXED[2]), form)
    assert not unsafe(re.sub("^::", "", shown, flags=re.MULTILINE) if form == "github" else shown)


@examples
@given(NAMES)
def test_failed_assertions_are_safe(name: str) -> None:
    result = hostile("audit", name)
    assert isinstance(result, Audit)
    inventory = Inventory(target="x", tensors=result.tensors)
    assert not unsafe(failed_claims(result.claims, inventory, "stored"))


def safetensors(path: Path, *names: str) -> Path:
    """A file with a tensor of one value under each name."""
    entries = {name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * n, 4 * n + 4]} for n, name in enumerate(names)}
    header = json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4 * len(names)))
    return path


def quoted(name: str) -> str:
    """A string of TOML."""
    return json.dumps(name)


def file_name(name: str) -> str:
    return re.sub("[/\0]", "_", name)[:80]


VALID = [valid(name) for name in FIXED]
"""TOML and safetensors hold no surrogates."""


@pytest.mark.parametrize("form", GATE_FORMATS)
def test_an_audit_shows_names_of_files_tensors_layers_and_sources(tmp_path: Path, form: Format) -> None:
    target = file_name(f"{VALID[1]}.safetensors")
    safetensors(tmp_path / target, *(f"{name}.weight" for name in VALID), *VALID[:5])
    claims = [f"[[claims]]\nlayer = {quoted(name)}\nstated = '8.2M'\nsource = {quoted(name)}\n" for name in VALID]
    text = "".join((f"source = {quoted(VALID[1])}\ntarget = {quoted(target)}\n", *claims))
    (tmp_path / f"{target}.claims.toml").write_text(text, encoding="utf-8")
    done = invoke("audit", f"{target}.claims.toml", "--format", form, cwd=tmp_path)
    assert done.returncode == 1
    assert not unsafe(done.stderr)
    assert not unsafe(re.sub("^::", "", done.stdout, flags=re.MULTILINE) if form == "github" else done.stdout)
    assert form != "github" or all(COMMAND.fullmatch(line) for line in done.stdout.rstrip("\n").split("\n"))


def variant(path: Path, name: str) -> Path:
    """A variant whose texts are all `name`, and whose statement does not hold."""
    path.write_text(
        f'extends = "paper"\nsummary = {quoted(name)}\n[image]\nheight = 36\nwidth = 36\n'
        f'[sources]\n"image.height" = {quoted(name)}\n"image.width" = {quoted(name)}\n'
        f'[stated]\ntotal = "9.99M"\nsource = {quoted(name)}\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    "command",
    ["count", "compare", "check", "explain paper", "reconcile 11.36M --from"],
    ids=lambda text: text.split()[0],
)
@pytest.mark.parametrize("form", ["rich", "json", "markdown", "csv"])
def test_commands_show_names_of_variants(tmp_path: Path, command: str, form: str) -> None:
    path = variant(tmp_path / file_name(f"{VALID[2]}\n::error::.toml"), VALID[1])
    formula = () if command.startswith("explain") else ("--witness", "formula")
    done = invoke(*command.split(), path.name, *formula, "--format", form, cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout
    assert not unsafe(done.stdout) + unsafe(done.stderr)


MISTAKES = (
    *(["count"], ["count", "paper", "--set"], ["count", "paper", "--witness"], ["check"], ["claims"], ["train-smoke"]),
    *(["reconcile"], ["reconcile", "8.2M", "--space"], ["audit"], ["audit", "x.safetensors", "--policy"]),
    *(["audit", "x.py:Net", "--input"], ["audit", "x.py:Net", "--kwarg"], ["audit", "x.py:Net", "--format"]),
    ["explain", "paper"],
    ["train", "--epochs", "1", "--output", "run"],
)


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_messages_show_names_of_arguments(tmp_path: Path, arguments: list[str]) -> None:
    for name in FIXED[:3]:
        done = invoke(*arguments, name, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith("capsaudit: ")
        assert not unsafe(done.stderr) + unsafe(done.stdout)


READERS: dict[str, Callable[[str], object]] = {
    "count": api.count,
    "claims": api.claims,
    "audit": api.audit_target,
    "reconcile": lambda space: api.reconcile("8.2M", space=space),
}
"""Functions that read a TOML file."""


@pytest.mark.parametrize("command", READERS)
@examples
@given(name=NAMES)
def test_messages_show_keys_and_values_of_files(
    tmp_path_factory: pytest.TempPathFactory, command: str, name: str
) -> None:
    """Unknown keys, values of a wrong type, and a text that is no TOML at all."""
    path = tmp_path_factory.getbasetemp() / "hostile.claims.toml"
    key = quoted(valid(name))
    for text in (f"{key} = {key}\nextends = {key}\n[{key}]\n{key} = {key}", f"= {valid(name)}"):
        path.write_text(text, encoding="utf-8", newline="")
        with pytest.raises(CapsauditError) as caught:
            READERS[command](str(path))
        assert str(caught.value).split("\n") == list(caught.value.faults)
        assert not unsafe(str(caught.value))


@examples
@given(NAMES)
def test_messages_show_tensors_of_files(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = safetensors(tmp_path_factory.getbasetemp() / "hostile.safetensors", valid(name))
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F31"'))
    with pytest.raises(CapsauditError) as caught:
        api.audit_target(str(path))
    assert len(caught.value.faults) == 1
    assert not unsafe(str(caught.value))


def test_processes_write_the_same(tmp_path: Path) -> None:
    safetensors(tmp_path / "net.safetensors", *VALID)
    for form in ("rich", "json", "markdown", "csv"):
        done = run("audit", "net.safetensors", "--format", form, cwd=tmp_path)
        assert not unsafe(done.stdout) + unsafe(done.stderr)
    wrong = run("count", FIXED[0], cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert wrong.stderr.startswith(r"capsaudit: no variant 'a\n:\x3aerror:\x3ax'; shipped: ")


def test_the_tests_above_can_fail() -> None:
    assert unsafe(FIXED[0])
    assert unsafe(FIXED[1])
    assert unsafe("ok\n  ::error::x")
    assert unsafe("x ##[error]")
    assert unsafe("\u202e")
    assert blocks("# a") != blocks("a")
    assert tomllib.loads(f"a = {quoted(VALID[1])}") == {"a": VALID[1]}
