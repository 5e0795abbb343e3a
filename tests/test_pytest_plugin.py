"""The pytest plugin as users have it: in processes of their own, where pytest finds it by its entry point."""

import re
from pathlib import Path

import pytest

from tests.claims import CLAIMS, LINE, MODEL, WRONG

pytest_plugins = ["pytester"]


def test_files_of_claims_are_tests(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("net.py").write_text(MODEL)
    pytester.path.joinpath("wrong.claims.toml").write_text(WRONG)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v")
    done.assert_outcomes(passed=3, failed=1)
    text = done.stdout.str()
    assert "head: 27,050 trainable parameters, stated 27,051 (−1)\n" in text
    assert f"wrong.claims.toml:{LINE}, source: the README of a small classifier\n" in text
    assert "27,098" in text


@pytest.mark.parametrize("ci", ["", "true"])
def test_the_table_of_a_file_is_shown_once(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str) -> None:
    """Two claims of one file fail, and one of another: each file has its table. Where `CI` is set, pytest's summary repeats messages whole."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    pytester.path.joinpath("net.py").write_text(MODEL)
    pytester.path.joinpath("one.claims.toml").write_text(WRONG.replace('"48"', '"49"'))
    pytester.path.joinpath("two.claims.toml").write_text(WRONG)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=5, failed=3)
    assert done.stdout.str().count("net.py:SmallClassifier: 27,098 trainable") == 2


def test_the_target_of_a_file_is_loaded_once_even_if_that_fails(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("net.py").write_text("open('loaded', 'a').write('.')\nraise ValueError('no luck')\n")
    pytester.path.joinpath("right.claims.toml").write_text(CLAIMS)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(failed=3)
    assert done.stdout.str().count("cannot be imported: ValueError: no luck") >= 3
    assert pytester.path.joinpath("loaded").read_text() == "."


def test_a_file_of_claims_with_faults_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("faulty.claims.toml").write_text('source = "me"\nclaims = []\n')
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert done.ret != 0
    assert "claims is missing or empty" in done.stdout.str()


def test_names_in_claims_cannot_forge_lines(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("net.py").write_text(MODEL)
    pytester.path.joinpath("hostile.claims.toml").write_text(
        'source = "me"\ntarget = "net.py:SmallClassifier"\n'
        '[[claims]]\nlayer = "head\\n::error::forged\\u001b[31m"\nstated = "1"\nsource = "\\n::error::forged"\n'
    )
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v", "--color=no")
    done.assert_outcomes(failed=1)
    text = done.stdout.str()
    assert "::error" not in text
    assert "\x1b" not in text
    assert r"head\n:\x3aerror:\x3aforged\x1b[31m" in text


MARKED = """
import pytest
from net import SmallClassifier

@pytest.fixture
def model():
    return SmallClassifier()

@pytest.fixture
def wide():
    return SmallClassifier(classes=100)

@pytest.mark.capsaudit(total="27.1K", layers={"head": 27_050})
def test_right(model): ...

@pytest.mark.capsaudit(total="27.2K")
def test_wrong(model): ...

@pytest.mark.capsaudit(layers={"head": 270_500}, model="wide")
def test_another_fixture(wide): ...

@pytest.mark.capsaudit(total=27_098, target="net.py:SmallClassifier")
def test_target(): ...

@pytest.mark.capsaudit(total={"stated": "27,050", "except": ["body"]}, layers={"body": {"stated": 57, "count": "all"}})
def test_keys_of_a_claim(model): ...

@pytest.mark.capsaudit(total={"stated": "27,050"})
def test_explained(model): ...

@pytest.mark.capsaudit(total="27.0K")
def test_approximate(model): ...

@pytest.mark.capsaudit(total={"stated": "27,050", "excluded": ["body"]})
def test_wrong_key(model): ...

@pytest.mark.capsaudit()
def test_nothing_stated(model): ...

@pytest.mark.capsaudit(total="1")
def test_no_model(): ...

@pytest.mark.capsaudit(layers={"head": 27_050}, totl="27.2K")
def test_misspelt(model): ...

@pytest.mark.capsaudit("27.1K", layers={"head": 27_050})
def test_no_name(model): ...
"""


def test_the_marker(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("net.py").write_text(MODEL)
    pytester.makepyfile(test_marked=MARKED)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", f"--rootdir={pytester.path}")
    done.assert_outcomes(passed=4, failed=8)
    text = done.stdout.str()
    assert "total: 27,098 trainable parameters, rounded 27.1K, stated 27.2K" in text
    assert "total: 27,098 trainable parameters, stated 27,050 (+48)\n  27,050 = only head, exact (" in text
    assert "stated 27.0K\n  it agrees with 27.0K only when cut instead of rounded" in text
    assert "total: excluded is unknown" in text
    assert re.search(r"head +27,050", text)
    assert "states nothing" in text
    assert "no fixture 'model'" in text
    assert "has no argument 'totl'; did you mean 'total'?" in text
    assert "'27.1K' has no name; expected total=, layers= or same_function=" in text


def test_the_plugin_imports_nothing_before_it_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\ndef test(): assert 'torch' not in sys.modules and 'capsaudit.api' not in sys.modules"
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:jaxtyping").assert_outcomes(passed=1)


def test_two_claims_about_one_layer_have_names_of_their_own(pytester: pytest.Pytester) -> None:
    """The line of each, since a test is selected by its name."""
    pytester.path.joinpath("net.py").write_text(MODEL)
    pytester.path.joinpath("twice.claims.toml").write_text(CLAIMS + '\n[[claims]]\nstated = "27,098"\n')
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--collect-only", "-q")
    names = re.findall(r"twice\.claims\.toml::(\S+)", done.stdout.str())
    lines = (CLAIMS + "\n").splitlines()
    first = lines.index(next(line for line in lines if line.startswith("[[claims]]"))) + 1
    assert names == [f"total[{first}]", "body.*", "body.1", f"total[{LINE}]"]


def test_a_target_that_ends_its_process_fails_the_test_and_not_the_session(pytester: pytest.Pytester) -> None:
    """In-process, `os._exit(0)` would end pytest with exit code 0 and without a report."""
    pytester.path.joinpath("net.py").write_text("import os\ndef SmallClassifier(): os._exit(0)\n")
    pytester.path.joinpath("right.claims.toml").write_text(CLAIMS)
    pytester.makepyfile(
        "import pytest\n@pytest.mark.capsaudit(total=1, target='net.py:SmallClassifier')\ndef test_target(): ..."
    )
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(failed=4)  # the marker, and the three claims of the file
    assert done.stdout.str().count("its process ended with exit status 0 while it was built") >= 4


FUNCTION = """
import pytest
from net import LayerByLayer, SoftmaxOverInputs

@pytest.fixture
def model():
    return LayerByLayer()

@pytest.fixture
def deviating():
    return SoftmaxOverInputs()

@pytest.mark.capsaudit(same_function="paper", inputs="1,12,12")
def test_right(model): ...

@pytest.mark.capsaudit(same_function="paper", inputs=["1,12,12"], target="net.py:LayerByLayer")
def test_right_target(): ...

@pytest.mark.capsaudit(same_function="paper", inputs="1,12,12", model="deviating")
def test_deviating(deviating): ...

@pytest.mark.capsaudit(same_function="paper")
def test_no_inputs(model): ...

@pytest.mark.capsaudit(total=1, inputs="1,12,12")
def test_no_function(model): ...
"""


def test_a_marker_states_the_function(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("tests").symlink_to(Path(__file__).parent)
    pytester.path.joinpath("net.py").write_text("from tests.parity.networks import LayerByLayer, SoftmaxOverInputs\n")
    pytester.makepyfile(test_function=FUNCTION)
    pytester.syspathinsert()
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "test_function.py")
    done.assert_outcomes(passed=2, failed=3)
    text = done.stdout.str()
    assert "softmax is the first stage that differs" in text
    assert text.count("same_function= needs inputs=") >= 2


def test_the_claims_of_several_models_are_tests(pytester: pytest.Pytester) -> None:
    """The head has (2,704 + 1)·10 values, with 100 classes ten times as many. A model that cannot be built fails its claims alone."""
    pytester.path.joinpath("net.py").write_text(MODEL)
    pytester.path.joinpath("zoo.claims.toml").write_text(
        'source = "me"\n'
        '[[models]]\ntarget = "net.py:SmallClassifier"\n[[models.claims]]\nstated = "27.1K"\n'
        '[[models.claims]]\nlayer = "head"\nstated = "27,050"\n'
        '[[models]]\ntarget = "net.py:Missing"\n[[models.claims]]\nstated = "1"\n'
        '[[models]]\ntarget = "net.py:SmallClassifier"\nkwargs = {classes = 100}\n'
        '[[models.claims]]\nlayer = "head"\nstated = "27,050"\n'
    )
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v", "--color=no")
    done.assert_outcomes(passed=2, failed=2)
    text = done.stdout.str()
    assert "net.py:SmallClassifier: total PASSED" in text
    lines = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--tb=line", "--color=no").stdout.str()
    assert "namespace(" not in lines
    assert "_Line(" not in lines
    assert "net.py:SmallClassifier: head[6] PASSED" in text
    assert "net.py:Missing: total FAILED" in text
    assert "head: 270,500 trainable parameters, stated 27,050 (+243,450)" in text
