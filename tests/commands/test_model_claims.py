"""Claims about a model: verdicts, formats, the pytest plugin. The model is a classifier that is no capsule network."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml
from sarif_pydantic import Sarif

from tests.processes import run

pytest_plugins = ["pytester"]

EXAMPLES = Path(__file__).parents[1] / "examples"
MODEL = (EXAMPLES / "classifier.py").read_text()
CLAIMS = (EXAMPLES / "classifier.claims.toml").read_text().replace("classifier.py:", "net.py:")
WRONG = CLAIMS + '\n[[claims]]\nlayer = "head"\nstated = "27,051"\n'
LINE = WRONG[: WRONG.index('layer = "head"')].count("\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "right.claims.toml").write_text(CLAIMS)
    (tmp_path / "wrong.claims.toml").write_text(WRONG)
    return tmp_path


def audited(folder: Path, *arguments: str) -> tuple[int, str]:
    done = run("audit", *arguments, cwd=folder)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


FORMATS = ("rich", "json", "markdown", "csv", "github", "junit", "sarif")


@pytest.mark.parametrize(
    ("target", "code"), [("right.claims.toml", 0), ("wrong.claims.toml", 1), ("net.py:SmallClassifier", 2)]
)
def test_exit_codes_do_not_depend_on_the_format(folder: Path, target: str, code: int) -> None:
    every = [option for form in FORMATS for option in ("--format", form, "--output", f"out.{form}")]
    assert audited(folder, target, *every) == (code, "")
    assert all((folder / f"out.{form}").read_text().strip() for form in FORMATS)
    assert audited(folder, target, "--format", "github")[0] == code


def test_verdicts(folder: Path) -> None:
    _, printed = audited(folder, "net.py:SmallClassifier", "--claims", "wrong.claims.toml", "--format", "json")
    claims = json.loads(printed)["claims"]
    assert [(c["stated"], c["found"], c["verdict"]) for c in claims] == [
        ("27.1K", 27_098, "agrees"),
        ("48", 48, "agrees"),
        ("9", 9, "agrees"),
        ("27,051", 27_050, "disagrees"),
    ]
    assert claims[3]["line"] == LINE
    assert "head has 27,050" in claims[3]["because"]


def test_options_go_before_what_the_file_says(folder: Path) -> None:
    """Twenty classes: 20·(4·26·26 + 1) = 54,100 in the head; and claims of another file beside its own."""
    (folder / "more.claims.toml").write_text('source = "me"\n[[claims]]\nlayer = "head"\nstated = "54,100"\n')
    options = ("--kwarg", "classes=20", "--claims", "more.claims.toml", "--format", "json")
    found = json.loads(audited(folder, "right.claims.toml", *options)[1])["claims"]
    assert [(c["found"], c["verdict"]) for c in found] == [
        (54_148, "disagrees"),
        (48, "agrees"),
        (9, "agrees"),
        (54_100, "agrees"),
    ]
    assert audited(folder, "right.claims.toml", "--against", "paper")[0] == 2


def test_annotations_stand_at_the_claims_line(folder: Path) -> None:
    _, printed = audited(folder, "wrong.claims.toml", "--format", "github")
    errors = [line for line in printed.splitlines() if line.startswith("::error")]
    assert len(errors) == 1
    assert errors[0].startswith(f"::error file=wrong.claims.toml,line={LINE},title=capsaudit head::stated 27,051")
    for line in printed.splitlines():
        assert re.fullmatch(r"::(error|warning|notice) ([a-z]+=[^,:]*,?)*::.*", line)
    assert (
        "::notice title=capsaudit::3 of 3 claims hold" in audited(folder, "right.claims.toml", "--format", "github")[1]
    )


def test_junit_has_a_case_for_each_claim(folder: Path) -> None:
    _, printed = audited(folder, "wrong.claims.toml", "--format", "junit")
    suite = ET.fromstring(printed)[0]
    assert (suite.get("tests"), suite.get("failures")) == ("4", "1")
    (folder / "report.xml").write_text(printed)
    parsed = next(iter(JUnitXml.fromfile(str(folder / "report.xml"))))
    assert [bool(case.result) for case in parsed] == [False, False, False, True]


def test_sarif_is_what_its_schema_wants(folder: Path) -> None:
    _, printed = audited(folder, "wrong.claims.toml", "--format", "sarif")
    log = Sarif.model_validate_json(printed)
    (result,) = log.runs[0].results or ()
    place = (result.locations or [])[0].physical_location
    assert place is not None
    assert place.artifact_location is not None
    assert place.region is not None
    assert (place.artifact_location.uri, place.region.start_line) == ("wrong.claims.toml", LINE)
    assert not Sarif.model_validate_json(audited(folder, "right.claims.toml", "--format", "sarif")[1]).runs[0].results


def test_several_formats_in_one_run(folder: Path) -> None:
    code, printed = audited(
        folder,
        *("wrong.claims.toml", "--format", "markdown", "--output", "summary.md"),
        *("--format", "sarif", "--output", "log.sarif", "--format", "github"),
    )
    assert code == 1
    assert printed.startswith("::error")
    assert (folder / "summary.md").read_text().startswith("### ")
    assert json.loads((folder / "log.sarif").read_text())["version"] == "2.1.0"
    assert audited(folder, "right.claims.toml", "--format", "json", "--format", "csv")[0] == 2
    assert audited(folder, "right.claims.toml", "--output", "a", "--output", "b")[0] == 2
    assert audited(folder, "right.claims.toml", "--format", "yaml")[0] == 2
    assert audited(folder, "right.claims.toml", "--output", "no/such/folder/a")[0] == 2


def test_claims_with_faults(folder: Path) -> None:
    path = folder / "faulty.claims.toml"
    for text, message in (
        ('source = "me"\nclaims = []\n', "claims is empty; expected at least one"),
        ('source = "me"\n[[claims]]\nstated = "many"\n', "claims.1.stated: 'many' is no figure"),
        (
            'source = "me"\n[[claims]]\nstated = "1"\npolicy = "strored"\n',
            "claims.1.policy is 'strored'; did you mean 'stored'?",
        ),
        ('source = "me"\n[[claims]]\nstated = "1"\ncount = "all of it"\n', 'claims.1.count is "all of it"'),
        ('source = "me"\n[[claims]]\nstated = "1"\n', "target is missing"),
        ('[[claims]]\nstated = 1\nlayers = "x"\n', "3 faults"),
    ):
        path.write_text(text)
        done = run("audit", "faulty.claims.toml", cwd=folder)
        assert done.returncode == 2
        assert message in done.stderr
        assert "faulty.claims.toml" in done.stderr


def test_a_name_that_matches_nothing_disagrees(folder: Path) -> None:
    (folder / "wrong.claims.toml").write_text(CLAIMS.replace('"body.*"', '"bodi.*"').replace('"48"', '"0"'))
    code, printed = audited(folder, "wrong.claims.toml", "--format", "json")
    assert code == 1
    assert "nothing is called 'bodi.*'" in json.loads(printed)["claims"][1]["because"]


def test_files_of_claims_are_tests(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("net.py").write_text(MODEL)
    pytester.path.joinpath("wrong.claims.toml").write_text(WRONG)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v")
    done.assert_outcomes(passed=3, failed=1)
    text = done.stdout.str()
    assert f"wrong.claims.toml:{LINE}: stated 27,051, but head has 27,050" in text
    assert "27,098" in text


def test_a_file_of_claims_with_faults_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("faulty.claims.toml").write_text('source = "me"\nclaims = []\n')
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert done.ret != 0
    assert "claims is empty" in done.stdout.str()


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

@pytest.mark.capsaudit()
def test_nothing_stated(model): ...

@pytest.mark.capsaudit(total="1")
def test_no_model(): ...
"""


def test_the_marker(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("net.py").write_text(MODEL)
    pytester.makepyfile(test_marked=MARKED)
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", f"--rootdir={pytester.path}")
    done.assert_outcomes(passed=3, failed=3)
    text = done.stdout.str()
    assert "total: stated 27.2K, but the model has 27,098 trainable values, which prints as 27.1K" in text
    assert re.search(r"head +27,050", text)
    assert "states nothing" in text
    assert "no fixture 'model'" in text


def test_the_plugin_imports_nothing_until_it_is_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\ndef test(): assert 'torch' not in sys.modules and 'capsaudit.api' not in sys.modules"
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:jaxtyping").assert_outcomes(passed=1)


def test_what_a_target_prints_goes_to_standard_error(folder: Path) -> None:
    (folder / "loud.py").write_text(
        "print('hello')\nfrom net import SmallClassifier\nimport os; os.system('echo native')\n"
    )
    done = run("audit", "loud.py:SmallClassifier", "--claims", "right.claims.toml", "--format", "json", cwd=folder)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    assert "hello" in done.stderr
    assert "native" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="an alarm is a POSIX signal")
def test_a_forward_that_hangs(folder: Path) -> None:
    (folder / "slow.py").write_text(
        "import time\nfrom net import SmallClassifier\nclass Slow(SmallClassifier):\n    def forward(self, x):\n        time.sleep(60)\n"
    )
    done = run("audit", "slow.py:Slow", "--input", "1,28,28", "--timeout", "3", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "slow.py:Slow took longer than 3 s; set a longer limit with --timeout" in done.stderr
