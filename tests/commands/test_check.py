"""check: it fails where it should, and never passes having checked nothing."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from capsaudit import api
from capsaudit.catalogue import load_variant, shipped
from capsaudit.commands.check import check
from capsaudit.errors import CapsauditError
from tests.processes import invoke, run

MINE = 'extends = "paper"\nsummary = "mine"\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE + text)
    return path


def test_all_shipped_variants_hold() -> None:
    result = api.check()
    assert result.agrees
    assert set(result.variants) == set(shipped())
    # at the least: a total for each variant, and a shape and a count for each layer
    layers = sum(len(api.count(name, witnesses=["formula"]).layers) for name in shipped())
    assert result.checked > len(shipped()) + 2 * layers


def test_a_variant_that_states_nothing_is_no_pass(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    with pytest.raises(CapsauditError, match="nothing to check"):
        api.check(path)
    with pytest.raises(CapsauditError, match="nothing to check"):
        api.check("paper", path)


def test_a_figure_that_need_not_agree_is_not_checked(tmp_path: Path) -> None:
    text = '[stated]\nsource = "article"\ntotal = "11.36M"\n'
    failing = api.check(write(tmp_path, text), witnesses=["formula"])
    assert [(f.layer, f.what, f.expected, f.found) for f in failing.failures] == [(None, "stated", "11.36M", 8_215_568)]
    with pytest.raises(CapsauditError, match="nothing to check"):
        api.check(write(tmp_path, text + "must_agree = false\n"))


def test_failures_name_layer_and_figures(tmp_path: Path) -> None:
    path = write(tmp_path, '[stated]\nsource = "me"\nlayers.conv1 = "20,993"\n')
    (failure,) = api.check(path).failures
    assert (failure.variant, failure.layer, failure.what) == ("mine", "conv1", "stated")
    assert (failure.expected, failure.found) == ("20,993", 20_992)


def test_a_layer_that_is_not_expected_fails(tmp_path: Path) -> None:
    text = "[expected]\ninput = [1, 28, 28]\ntotal = 8215568\n[expected.layers]\n"
    result = api.check(write(tmp_path, text), witnesses=["formula"])
    assert {failure.layer for failure in result.failures} == {
        "conv1",
        "primary_caps",
        "digit_caps",
        "fc1",
        "fc2",
        "fc3",
    }


@pytest.mark.parametrize(
    ("what", "change", "stated", "found"),
    [
        ("trainable", {"trainable": 1}, 1, 1_474_560),  # 1152·10·8·16
        ("frozen", {"frozen": 11_519}, 11_519, 11_520),  # 1152·10
        ("buffers", {"buffers": 1}, 1, 0),
        ("output shape", {"output": (10, 15)}, (10, 15), (10, 16)),
    ],
)
def test_each_number_of_a_layer_is_compared(
    what: str, change: dict[str, object], stated: object, found: object
) -> None:
    variant = load_variant("frozen-logits")
    assert variant.expected is not None
    rows = variant.expected.layers
    wrong = rows | {"digit_caps": msgspec.structs.replace(rows["digit_caps"], **change)}
    expected = msgspec.structs.replace(variant.expected, layers=wrong)
    (failure,) = check([msgspec.structs.replace(variant, expected=expected)], witnesses=["formula"]).failures
    assert (failure.layer, failure.what) == ("digit_caps", what)
    assert (failure.expected, failure.found) == (stated, found)


@pytest.mark.parametrize(
    ("what", "change"),
    [("input shape", {"input": (1, 28, 27)}), ("trainable", {"total": 1}), ("frozen", {"frozen": 0})],
)
def test_each_number_of_the_whole_is_compared(what: str, change: dict[str, object]) -> None:
    variant = load_variant("frozen-logits")
    assert variant.expected is not None
    expected = msgspec.structs.replace(variant.expected, **change)
    (failure,) = check([msgspec.structs.replace(variant, expected=expected)], witnesses=["formula"]).failures
    assert (failure.layer, failure.what) == (None, what)


def test_shapes_are_those_of_a_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from capsaudit.models import tracing

    real = tracing.traced_shapes(load_variant("paper").spec)
    monkeypatch.setattr(tracing, "traced_shapes", lambda _: real | {"fc1": ((160,), (511,))})
    (failure,) = api.check("paper").failures
    assert (failure.layer, failure.what) == ("fc1", "shapes of a forward pass")


def test_json() -> None:
    checked = json.loads(invoke("check", "paper", "--format", "json").stdout)
    assert checked["agrees"] is True
    assert checked["failures"] == []


def failing_file(tmp_path: Path) -> str:
    path = tmp_path / "mine,%.toml"
    path.write_text(MINE + '[stated]\nsource = "me"\ntotal = "11.36M"\nlayers.conv1 = "1"\n')
    return str(path)


@pytest.mark.parametrize("form", ["rich", "json", "markdown", "csv", "github", "junit", "sarif"])
def test_the_exit_code_does_not_depend_on_the_format(form: str, tmp_path: Path) -> None:
    assert invoke("check", "paper", "--witness", "formula", "--format", form).returncode == 0
    assert invoke("check", "paper", failing_file(tmp_path), "--witness", "formula", "--format", form).returncode == 1


def test_github_annotations(tmp_path: Path) -> None:
    lines = invoke("check", failing_file(tmp_path), "--witness", "formula", "--format", "github").stdout.splitlines()
    place = f"file={tmp_path.as_posix()}/mine%2C%25.toml"  # two lines, [stated], source, total, layers.conv1
    assert lines == [
        f"::error {place},line=6,title=capsaudit mine%2C%25 conv1::stated: expected 1, found 20,992",
        f"::error {place},line=5,title=capsaudit mine%2C%25::stated: expected 11.36M, found 8,215,568",
    ]
    assert run("check", "paper", "--witness", "formula", "--format", "github").stdout.startswith(
        "::notice title=capsaudit::"
    )


def test_failures_of_expected_counts_are_at_their_lines(tmp_path: Path) -> None:
    """After two lines of heading: tables, keys with dots, keys in quotes, and a layer that is not there at all."""
    text = """[expected]
total = 1
input = [1, 28, 27]
[expected.layers]
conv1 = { output = [256, 20, 20], trainable = 2 }
[expected.layers.fc1]
output = [511]
trainable = 82_432
[expected.knobs]
"digit_caps.iterations" = 4
"""
    result = api.check(write(tmp_path, text), witnesses=["formula"])
    lines = {(f.layer, f.what): f.line for f in result.failures}
    expected: dict[tuple[str | None, str], int] = {
        (None, "trainable"): 4,
        (None, "input shape"): 5,
        ("primary_caps", "layer"): 6,
        ("digit_caps", "layer"): 6,
        ("fc2", "layer"): 6,
        ("fc3", "layer"): 6,
        ("conv1", "trainable"): 7,
        ("fc1", "output shape"): 9,
        (None, "digit_caps.iterations"): 12,
    }
    assert lines == expected
    assert {f.file for f in result.failures} == {str(tmp_path / "mine.toml")}


def test_a_shipped_variant_is_named_by_its_file() -> None:
    variant = load_variant("frozen-logits")
    changed = msgspec.structs.replace(variant, spec=load_variant("article").spec)
    failures = check([changed], witnesses=["formula"]).failures
    assert {f.file for f in failures} == {"variants/frozen-logits.toml"}
    found = {(f.layer, f.what): f.line for f in failures}
    lines = (shipped()["frozen-logits"]).read_text().splitlines()
    assert lines[(found["digit_caps", "frozen"] or 0) - 1].startswith("digit_caps ")


def test_junit_has_a_case_for_each_variant(tmp_path: Path) -> None:
    printed = invoke("check", "paper", failing_file(tmp_path), "--witness", "formula", "--format", "junit").stdout
    suite = ET.fromstring(printed)[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    cases = {case.get("name"): case.find("failure") for case in suite}
    assert cases["paper"] is None
    failure = cases["mine,%"]
    assert failure is not None
    assert "expected 11.36M, found 8,215,568" in str(failure.text)
