"""The Python API: lazy, frozen, and at home in a notebook."""

import inspect
import json
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import capsaudit
from capsaudit import api, cli
from capsaudit.errors import CapsauditError
from capsaudit.render.formats import write
from capsaudit.results import Result
from capsaudit.train.plan import Plan
from tests.expected import TOTALS
from tests.processes import invoke
from tests.train.runs import write_small
from tests.train.tiny import write_tiny

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_every_name_is_there() -> None:
    assert capsaudit.__all__ == api.__all__
    for name in api.__all__:
        assert getattr(capsaudit, name) is not None
    assert set(api.__all__) <= set(dir(capsaudit))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'cuont'"):
        _ = capsaudit.cuont


def test_results_are_frozen() -> None:
    with pytest.raises(AttributeError):
        capsaudit.count("paper", witnesses=["formula"]).trainable = 0  # type: ignore[misc]


RESULTS = {
    "Audit": f"api.audit_target({str(EXAMPLES / 'capsnets.claims.toml')!r})",
    "Audits": f"api.audit_targets({str(EXAMPLES / 'capsnets.claims.toml')!r})",
    "Check": "api.check({wrong!r}, witnesses=['formula'])",
    "Claims": "api.claims(witnesses=['formula'])",
    "Comparison": "api.compare('paper', 'article', witnesses=['formula'])",
    "Count": "api.count('article', witnesses=['formula'])",
    "Evaluation": "api.evaluate({trained!r})",
    "Joint": "api.reconcile_jointly()",
    "Ledger": "api.explain('article', 'multimnist')",
    "ModelReconciliation": f"api.reconcile_model('27,050', {str(EXAMPLES / 'classifier.py') + ':SmallClassifier'!r})",
    "Reconciliation": "api.reconcile('11.36M', witnesses=['formula'])",
    "Report": "api.report('nowhere', check=True)",
    "Runs": "api.train_smoke({tiny!r}, steps=1)",
    "TrainingEstimate": "api.estimate_training({small!r}, output={run!r}, epochs=1, data='digits')",
    "TrainingRun": "api.train({small!r}, output={run!r}, epochs=1, data='digits')",
    "VariantList": "api.variants()",
}
"""A call that returns each type of result."""

SHOW = """
from capsaudit import api
import json, sys
results = {name: eval(call) for name, call in json.loads(sys.argv[1]).items()}
print(json.dumps({name: [type(r).__name__, r._repr_html_(), str(r), repr(r)] for name, r in results.items()}))
"""


def result_types(base: type[Result] = Result) -> set[str]:
    """Every type of result of the package, however it is derived."""
    derived = [kind for kind in base.__subclasses__() if kind.__module__.startswith("capsaudit.")]
    return {kind.__name__ for kind in derived} | {name for kind in derived for name in result_types(kind)}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("files")
    tiny, wrong = write_tiny(folder, "article"), folder / "wrong.toml"
    wrong.write_text('extends = "paper"\nsummary = "mine"\n[stated]\nsource = "me"\ntotal = "11.36M"\n')
    small = write_small(folder)
    places = {"tiny": str(tiny), "wrong": str(wrong), "small": str(small), "run": str(folder / "run")}
    trained = api.train(small, output=folder / "trained", epochs=1, data="digits", batch_size=128)
    places["trained"] = trained.run
    return {name: call.format(**places) for name, call in RESULTS.items()}


@pytest.fixture(scope="module")
def shown(calls: dict[str, str]) -> dict[str, list[str]]:
    """Each result as a fresh process shows it that has imported the API and nothing else: its type, HTML, text and one line."""
    command = [sys.executable, "-c", SHOW, json.dumps(calls)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_every_type_of_result_is_tested_here(shown: dict[str, list[str]]) -> None:
    assert result_types() == set(RESULTS)
    assert {name: kind for name, (kind, *_) in shown.items()} == {name: name for name in RESULTS}


@pytest.mark.parametrize("name", RESULTS)
def test_notebooks_show_tables(name: str, shown: dict[str, list[str]]) -> None:
    _, html, text, line = shown[name]
    assert html.startswith("<section>")
    assert html.endswith("</section>")
    assert "<table>" in html
    assert "<script" not in html
    assert "\n" in text
    assert "\x1b" not in text
    assert "\n" not in line
    assert line.startswith(f"<{name} ")


@pytest.mark.parametrize("name", RESULTS)
def test_print_shows_what_a_terminal_of_120_columns_shows(
    name: str, calls: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result: Any = eval(calls[name], {"api": api})
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    write(result, "rich")
    assert str(result) == capsys.readouterr().out.rstrip()


def test_print_shows_what_the_command_prints() -> None:
    printed = invoke("count", "article", "--witness", "formula", columns=120).stdout
    assert str(api.count("article", witnesses=["formula"])) == printed.rstrip()
    assert repr(api.count("article", witnesses=["formula"])) == f"<Count {printed.splitlines()[0]}>"


def test_what_a_notebook_shows_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "paper"\nsummary = "<script>alert(1)</script>"\n')
    shown = capsaudit.count(path, witnesses=["formula"])._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_importing_the_package_imports_nothing_slow() -> None:
    code = "import sys, capsaudit; print('torch' in sys.modules, 'rich' in sys.modules, 'msgspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False False\n"


def test_without_arguments_all_that_is_shipped_is_meant() -> None:
    assert {v.variant: v.trainable for v in api.compare(witnesses=["formula"]).variants} == TOTALS
    assert set(api.check(witnesses=["formula"]).variants) == set(TOTALS)
    assert {claim.source for claim in api.claims(witnesses=["formula"]).claims} >= {"article", "paper"}


def test_a_variant_is_named_by_id_by_path_or_is_a_value(tmp_path: Path) -> None:
    path = write_tiny(tmp_path, "article")
    named: list[api.AnyVariant] = ["article", api.load_variant("article")]
    assert [api.count(variant, witnesses=["formula"]).trainable for variant in named] == [TOTALS["article"]] * 2
    named = [path, str(path), api.load_variant(path)]
    assert [api.count(variant, witnesses=["formula"]).variant for variant in named] == ["tiny"] * 3


def test_training_without_a_plan_is_that_of_the_command_line() -> None:
    """80 steps of 32 images, both losses; the command line, the function and the plan say so each."""
    expected = {
        "steps": 80,
        "batch_size": 32,
        "seed": 0,
        "rate": 0.001,
        "margin": True,
        "reconstruction": True,
        "device": "cpu",
    }
    assert msgspec.structs.asdict(Plan()) == expected
    for function in (api.train_smoke, cli.train_smoke):
        parameters = inspect.signature(function).parameters
        assert {name: parameters[name].default for name in expected} == expected


def test_training_takes_plain_settings_or_a_plan(tmp_path: Path) -> None:
    tiny = write_tiny(tmp_path, "article")
    (run,) = capsaudit.train_smoke(tiny, steps=2, batch_size=3, seed=4).runs
    (same,) = capsaudit.train_smoke(tiny, plan=capsaudit.Plan(steps=2, batch_size=3, seed=4)).runs
    assert (run.steps, run.batch_size, run.seed) == (2, 3, 4)
    assert run.losses == same.losses
    with pytest.raises(CapsauditError, match="expected either a plan or its settings"):
        capsaudit.train_smoke(tiny, steps=2, plan=Plan())
    with pytest.raises(CapsauditError, match="device 'tpu' cannot be used"):
        capsaudit.train_smoke(tiny, device="tpu")
    with pytest.raises(CapsauditError, match="threads is 0; expected at least 1"):
        capsaudit.train_smoke(tiny, threads=0)


def test_help_shows_names_and_values_and_no_addresses() -> None:
    shown = pydoc.plain(pydoc.render_doc(capsaudit.train_smoke))
    assert "steps: 'int' = 80" in shown
    assert not re.search(r" at 0x|<function|NoneType", shown)


def test_build_gives_a_working_module() -> None:
    torch = pytest.importorskip("torch")
    output = capsaudit.build("paper-no-decoder")(torch.rand(2, 1, 28, 28))
    assert output.scores.shape == (2, 10)


def test_the_same_function_is_asserted_in_memory() -> None:
    """Small: 24 − 9 + 1 = 16, ⌊(16 − 9)/2⌋ + 1 = 4, so 4·4·4 capsules. One more routing pass is another function of equal count."""
    import torch

    sizes = ("image.size=24", "primary_caps.types=4", "conv1.channels=16")
    small = api.load_variant("paper", settings=sizes)
    more = api.load_variant("paper", settings=(*sizes, "digit_caps.iterations=4"))
    inputs = (torch.rand(2, 1, 24, 24),)
    api.assert_same_function(api.build(small), small, inputs=inputs)
    with pytest.raises(AssertionError, match="iterations is the first stage that differs"):
        api.assert_same_function(api.build(more), small, inputs=inputs)
