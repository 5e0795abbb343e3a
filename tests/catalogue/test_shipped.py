"""The variants that ship: complete, sourced, and each number in them watched by `check`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from capsaudit import api
from capsaudit.catalogue import load_all, load_variant, shipped
from capsaudit.errors import FileError
from capsaudit.knobs import flatten, to_data
from tests.expected import REFUSED, TOTALS, WITHOUT_EFFECT

IDS = set(TOTALS)


def test_all_are_there() -> None:
    assert set(shipped()) == IDS


@pytest.mark.parametrize("name", sorted(IDS))
def test_every_value_has_a_source(name: str) -> None:
    variant = load_variant(name)
    assert all(variant.source(knob) for knob in flatten(to_data(variant.spec)))


@pytest.mark.parametrize("name", sorted(IDS))
def test_every_layer_is_expected(name: str) -> None:
    variant = load_variant(name)
    counted = api.count(variant, witnesses=["formula"])
    assert variant.expected is not None
    assert list(variant.expected.layers) == [layer.name for layer in counted.layers]


@pytest.mark.parametrize("name", sorted(IDS))
def test_the_derivation_beside_each_expected_count_comes_to_it(name: str) -> None:
    """`trainable = 20_992 }  # (9·9·1 + 1)·256` is read as a person reads it."""
    lines = [line for line in shipped()[name].read_text().splitlines() if "trainable = " in line and "output" in line]
    assert lines
    for line in lines:
        (stated,) = re.findall(r"trainable = ([0-9_]+)", line)
        derivations = [part.strip() for part in line.partition("#")[2].split(";")]
        values = [arithmetic(part) for part in derivations if re.fullmatch(r"[0-9,·+−() ]+", part)]
        assert int(stated) in values, line


def arithmetic(text: str) -> int:
    plain = text.replace("·", "*").replace("−", "-").replace(",", "")
    return int(eval(plain, {"__builtins__": {}}))


def test_the_order_begins_with_the_plainest_interpretation() -> None:
    names = [variant.id for variant in load_all()]
    assert names[:2] == ["paper", "article"]
    assert names[17:19] == ["baseline-mnist", "baseline-multimnist"]


def numbers_of(name: str) -> Iterator[tuple[str, str]]:
    """The place of every number that a variant file sets or states, and the file's text in which that number alone is one larger."""
    text = shipped()[name].read_text()
    for match in re.finditer(r"[0-9][0-9_]*(?:\.[0-9]+)?", text):
        line_start = text.rfind("\n", 0, match.start()) + 1
        before = text[line_start : match.start()]
        line = text[line_start : text.find("\n", match.start())]
        if before.lstrip().startswith("[") or "#" in before or re.search(r"[A-Za-z_-]$", before):
            continue  # a table's name, a derivation in a comment, part of a name (conv1)
        if re.match(r'\s*("[a-z_.0-9]+"|[a-z_.0-9]+) = "(?!~?[0-9.,]+[MK]?"$)', line):
            continue  # prose: a source, a summary
        number = match[0].replace("_", "")
        larger = f"{float(number) - 0.25}" if "." in number and '"' not in before else str(int(float(number)) + 1)
        if '"' in before and "." in number:
            larger = f"{float(number) + 0.1:.2f}".removesuffix("0")
        *above, table = ["", *re.findall(r"^\[+([a-z_.]+)\]", text[:line_start], re.MULTILINE)]
        nth = f" {above.count(table) + 1}" if table in above else ""
        place = f"{table}{nth}: {line.strip()} at {match.start() - line_start}"
        yield place, text[: match.start()] + larger + text[match.end() :]


MUTANTS = [(name, place, text) for name in sorted(IDS & shipped().keys()) for place, text in numbers_of(name)]


def test_there_are_many_numbers_to_change() -> None:
    assert len(MUTANTS) > 18 * 10
    assert {name for name, _, _ in MUTANTS} == IDS
    assert REFUSED.keys() | WITHOUT_EFFECT <= {(name, place) for name, place, _ in MUTANTS}


@pytest.mark.parametrize(
    ("name", "place", "text"), [pytest.param(*mutant, id=f"{mutant[0]}: {mutant[1]}") for mutant in MUTANTS]
)
def test_check_notices_any_one_changed_number(name: str, place: str, text: str, tmp_path: Path) -> None:
    changed = tmp_path / f"{name}.toml"
    changed.write_text(text)
    if (name, place) in WITHOUT_EFFECT:
        assert api.check(changed, witnesses=["formula"]).agrees
        return
    if (name, place) not in REFUSED:
        assert not api.check(changed, witnesses=["formula"]).agrees
        return
    with pytest.raises(FileError) as caught:
        api.check(changed, witnesses=["formula"])
    assert caught.value.faults == (f"{changed}: {REFUSED[name, place]}",)


def test_the_same_files_unchanged_pass(tmp_path: Path) -> None:
    """Without this the test above could fail every file for another reason."""
    for name in sorted(IDS):
        copy = tmp_path / f"{name}.toml"
        copy.write_text(shipped()[name].read_text())
        assert api.check(copy, witnesses=["formula"]).agrees
