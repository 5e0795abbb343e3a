"""Claims about a model: verdicts and formats. The model is a classifier that is no capsule network."""

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from junitparser import JUnitXml
from sarif_pydantic import Sarif

from capsaudit import api
from capsaudit.catalogue.model_claims import ModelClaim
from capsaudit.commands.model_claims import judge_claims, judge_counts
from capsaudit.errors import CapsauditError
from capsaudit.inventory import Counted, Inventory, InventoryTensor
from capsaudit.published import parse_figure
from capsaudit.selection import Selection
from tests.claims import CLAIMS, EXAMPLES, LINE, MODEL, WRONG
from tests.processes import invoke, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(MODEL)
    (tmp_path / "right.claims.toml").write_text(CLAIMS)
    (tmp_path / "wrong.claims.toml").write_text(WRONG)
    return tmp_path


def audited(folder: Path, *arguments: str) -> tuple[int, str]:
    done = invoke("audit", *arguments, cwd=folder)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


FORMATS = ("rich", "json", "markdown", "csv", "github", "junit", "sarif")


@pytest.mark.parametrize(
    ("target", "code"), [("right.claims.toml", 0), ("wrong.claims.toml", 1), ("net.py:SmallClassifier", 0)]
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
    assert claims[3]["because"] == (
        "head has 27,050 trainable parameters, not 27,051; no interpretation rounds to 27,051 (2 tried)"
    )  # as it is, and without its ten biases
    assert (claims[3]["examined"], claims[3]["explanations"]) == (2, [])
    assert [c["examined"] for c in claims[:3]] == [None] * 3
    assert claims[0]["because"] == "the model has 27,098 trainable parameters"
    assert claims[2]["because"] == "body.1 has 9 values in buffers"


def test_a_claim_that_disagrees_is_explained(folder: Path) -> None:
    """27,098 − 48 = 27,050; 4·26·26·10 = 27,040 are the head's without its ten biases."""
    (folder / "head.claims.toml").write_text(
        'source = "me"\ntarget = "net.py:SmallClassifier"\n'
        '[[claims]]\nstated = "27,050"\n[[claims]]\nlayer = "head"\nstated = "27,040"\n[[claims]]\nstated = "5M"\n'
    )
    code, printed = audited(folder, "head.claims.toml", "--format", "json")
    body, head, nothing = json.loads(printed)["claims"]
    assert code == 1
    assert "; 27,050 = only head, exact (" in body["because"]
    assert "; 27,040 = without biases, exact (" in head["because"]
    assert "; no interpretation rounds to 5M (" in nothing["because"]
    assert (body["explanations"][0]["selection"]["layers"], body["examined"] > 10) == (["head"], True)
    assert head["explanations"][0]["selection"]["except"] == ["head.bias"]


def test_a_claim_that_agrees_approximately_fails_and_says_how(folder: Path) -> None:
    """27,098 is 27.1K, and 27.0K only when cut; 27,100 only if its zeros are not significant."""
    text = (
        'source = "me"\ntarget = "net.py:SmallClassifier"\n[[claims]]\nstated = "27.0K"\n[[claims]]\nstated = "27100"\n'
    )
    (folder / "near.claims.toml").write_text(text)
    code, printed = audited(folder, "near.claims.toml", "--format", "json")
    cut, zeros = json.loads(printed)["claims"]
    assert (code, cut["verdict"], zeros["verdict"]) == (1, "approximate", "approximate")
    assert cut["because"].endswith("it agrees with 27.0K only when cut instead of rounded")
    assert zeros["because"].endswith("it agrees with 27,100 only if trailing zeros are not significant")
    assert cut["explanations"] == zeros["explanations"] == []
    meant = text.replace('"27.0K"', '"27.0K"\nrounding = "cut"').replace('"27100"', '"27100"\ndigits = 3')
    (folder / "near.claims.toml").write_text(meant)
    assert audited(folder, "near.claims.toml")[0] == 0
    (folder / "near.claims.toml").write_text(text)
    for form in ("github", "junit", "sarif", "markdown", "rich"):
        code, printed = audited(folder, "near.claims.toml", "--format", form)
        assert code == 1
        assert "cut" in printed


def test_options_take_precedence_over_the_file(folder: Path) -> None:
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


def test_annotations_are_at_the_line_of_the_claim(folder: Path) -> None:
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
    (result,) = list(log.runs[0].results or [])
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
        ('source = "me"\nclaims = []\n', "claims is missing or empty; expected at least one"),
        ('source = "me"\n[[claims]]\nstated = "many"\n', "claims.1.stated: 'many' is not a figure"),
        (
            'source = "me"\n[[claims]]\nstated = "1"\npolicy = "strored"\n',
            "claims.1.policy is 'strored'; did you mean 'stored'?",
        ),
        ('source = "me"\n[[claims]]\nstated = "1"\ncount = "all of it"\n', 'claims.1.count is "all of it"'),
        ('source = "me"\n[[claims]]\nstated = "1"\n', "target is missing"),
        ('[[claims]]\nstated = 1\nlayers = "x"\n', "3 faults"),
    ):
        path.write_text(text)
        done = invoke("audit", "faulty.claims.toml", cwd=folder)
        assert done.returncode == 2
        assert message in done.stderr
        assert "faulty.claims.toml" in done.stderr


def test_every_name_that_matches_nothing_is_a_fault(folder: Path) -> None:
    """Also where the figure is 0, which is what nothing adds up to."""
    wrong = CLAIMS.replace('"body.*"', '"bodi.*"').replace('"48"', '"0"')
    (folder / "wrong.claims.toml").write_text(wrong + '[[claims]]\nlayers = ["haed"]\nexcept = ["x"]\nstated = "1"\n')
    done = invoke("audit", "wrong.claims.toml", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    first = wrong.splitlines().index('layer = "bodi.*"')  # the line above it, counted from 1
    last = wrong.count("\n") + 1
    assert done.stderr.startswith("capsaudit: 3 faults\n")
    assert f"wrong.claims.toml:{first}: no layer or tensor matches 'bodi.*'; did you mean 'body.1'?" in done.stderr
    assert f"wrong.claims.toml:{last}: no layer or tensor matches 'haed'; did you mean 'head'?" in done.stderr
    assert f"wrong.claims.toml:{last}: no layer or tensor matches 'x'" in done.stderr


def test_claims_may_use_the_names_of_the_table(tmp_path: Path) -> None:
    """`route_weights` is digit_caps, `decoder.0` is fc1; the model's own names go first: its `conv1` is no convolution of the paper's."""
    (tmp_path / "capsnets.py").write_text((EXAMPLES / "capsnets.py").read_text())
    (tmp_path / "odd.py").write_text(
        "from torch import nn\nfrom capsnets import EightConvolutions\n"
        "class Odd(EightConvolutions):\n    def __init__(self):\n        super().__init__()\n        self.conv1 = nn.Linear(2, 3)\n"
    )
    claims = (("digit_caps", 1152 * 8 * 160), ("fc1", 161 * 512), ("fc*", 161 * 512 + 513 * 1024 + 1025 * 784))
    for target, conv1 in (("capsnets.py:EightConvolutions", (81 + 1) * 256), ("odd.py:Odd", (2 + 1) * 3)):
        text = "".join(
            f'[[claims]]\nlayer = "{name}"\nstated = "{count}"\n' for name, count in (*claims, ("conv1", conv1))
        )
        (tmp_path / "mine.claims.toml").write_text(f'source = "me"\ntarget = "{target}"\n{text}')
        code, printed = audited(tmp_path, "mine.claims.toml", "--format", "json")
        assert [(c["layer"], c["verdict"]) for c in json.loads(printed)["claims"]] == [
            (name, "agrees") for name in ("digit_caps", "fc1", "fc*", "conv1")
        ]
        assert code == 0


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
    done = run("audit", "slow.py:Slow", "--input", "1,28,28", "--timeout", "1", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "slow.py:Slow took longer than 1 s while it was run; set a longer limit with --timeout" in done.stderr


def tensor(layer: str, name: str, count: int, *, trainable: bool = True, buffer: bool = False) -> InventoryTensor:
    path = f"{layer}.{name}" if layer else name
    return InventoryTensor(
        name=path, layer=layer, kind="", shape=(count,), count=count, trainable=trainable, buffer=buffer,
        dtype="float32", bytes=4 * count,
    )  # fmt: skip


INVENTORY = Inventory(
    target="mine",
    tensors=(
        tensor("", "scale", 1),
        tensor("body", "weight", 20),
        tensor("body.norm", "weight", 3),
        tensor("body.norm", "running_mean", 3, trainable=False, buffer=True),
        tensor("head", "weight", 70),
        tensor("head", "bias", 7, trainable=False),
    ),
)


def claim(layers: tuple[str, ...] = (), excluded: tuple[str, ...] = (), count: Counted = "trainable") -> ModelClaim:
    return ModelClaim(figure=parse_figure("1"), selection=Selection(layers=layers, excluded=excluded, count=count))


@pytest.mark.parametrize(
    ("claim", "count", "about"),
    [
        (claim(), 1 + 20 + 3 + 70, None),
        (claim(("head", "scale")), 70 + 1, "head, scale"),
        (claim(("head", "head.weight")), 70, "head, head.weight"),  # what two patterns select counts once
        (claim(("body",), ("body.norm",)), 20, "body except body.norm"),
        (claim((), ("*.weight",)), 1, "the model except *.weight"),
        (claim(("head",), (), "parameters"), 70 + 7, "head"),
        (claim((), (), "frozen"), 7, None),
        (claim((), (), "buffers"), 3, None),
        (claim((), (), "all"), 1 + 20 + 3 + 3 + 70 + 7, None),
    ],
    ids=str,
)
def test_several_patterns_and_what_is_counted(claim: ModelClaim, count: int, about: str | None) -> None:
    (judged,) = judge_claims(INVENTORY, [claim], {})
    assert (judged.found, judged.layer) == (count, about)


def test_a_claim_that_leaves_out_all_that_it_selects_is_a_fault() -> None:
    with pytest.raises(CapsauditError, match="mine: nothing is left of head except head"):
        judge_claims(INVENTORY, [claim(("head",), ("head*",))], {})


def test_figures_by_layer_are_about_trainable_values() -> None:
    """1 + 20 + 3 + 70 in all; 70 of the head's 77 are trained; the body has 20 + 3, and 3 in a buffer."""
    found = judge_counts(INVENTORY, {"total": "94", "head": 70, "body": "21"}, "stored")
    assert [(claim.layer, claim.found, claim.verdict) for claim in found] == [
        (None, 94, "agrees"),
        ("head", 70, "agrees"),
        ("body", 23, "disagrees"),
    ]


def test_figures_that_cannot_be_judged_are_errors() -> None:
    faulty: list[tuple[dict[str, str | int], str]] = [
        ({}, "stored"),
        ({"total": "many"}, "stored"),
        ({"total": "94"}, "strored"),
    ]
    for stated, policy in faulty:
        with pytest.raises(CapsauditError):
            judge_counts(INVENTORY, stated, policy)


ZOO = """
import os, threading, time
import torch
from torch import nn

with open("imported", "a") as file:
    file.write(f"{os.getpid()} ")

def narrow():
    return nn.Linear(3, 4)

def wide(width=8):
    torch.set_default_dtype(torch.float64)
    return nn.Sequential(nn.Linear(3, width), nn.Linear(width, 2))

def leaving():
    os._exit(3)

def endless():
    time.sleep(10**6)

def leaving_later():
    threading.Timer(0.3, os._exit, [3]).start()
    return nn.Linear(3, 4)

def slow():
    time.sleep(1)
    return nn.Linear(3, 4)
"""


def write_zoo(folder: Path, *models: tuple[str, str]) -> Path:
    """A file of claims about these functions, each with a figure."""
    (folder / "zoo.py").write_text(ZOO)
    tables = [
        f'[[models]]\ntarget = "zoo.py:{name}"\n[[models.claims]]\nstated = "{stated}"\n' for name, stated in models
    ]
    path = folder / "zoo.claims.toml"
    path.write_text('source = "me"\n' + "".join(tables))
    return path


def test_the_models_of_a_file_are_loaded_in_one_process(tmp_path: Path) -> None:
    """3·4 + 4 = 16 values and (3 + 1)·8 + (8 + 1)·2 = 50. What one model sets, such as the default dtype, is not there for the next."""
    found = api.audit_targets(write_zoo(tmp_path, ("narrow", "16"), ("wide", "50"), ("narrow", "17")))
    assert [audit.verdict for audit in found.audits] == ["agrees", "agrees", "disagrees"]
    assert [audit.bytes for audit in found.audits] == [16 * 4, 50 * 8, 16 * 4]
    assert not found.faults
    assert not found.agrees
    assert len({*(tmp_path / "imported").read_text().split()}) == 1


def test_a_model_that_ends_the_process_does_not_hide_the_others(tmp_path: Path) -> None:
    path = write_zoo(tmp_path, ("narrow", "16"), ("leaving", "1"), ("wide", "50"), ("endless", "1"), ("narrow", "16"))
    found = api.audit_targets(path, timeout=5)
    assert [audit.trainable for audit in found.audits] == [16, 50, 16]
    ended, slow = found.faults
    assert "zoo.py:leaving: its process ended with exit status 3" in ended
    assert "zoo.py:endless took longer than 5 s while it was built" in slow
    processes = (tmp_path / "imported").read_text().split()
    assert (
        len({*processes}) == 4
    )  # leaving is tried again alone; wide and endless share one, and the last is on its own
    assert len(processes) == 6


def test_what_a_model_leaves_running_is_not_the_fault_of_the_next(tmp_path: Path) -> None:
    """A thread of the first model ends the process while the second one is built, or before."""
    found = api.audit_targets(write_zoo(tmp_path, ("leaving_later", "16"), ("slow", "16")))
    assert ([audit.verdict for audit in found.audits], found.faults) == (["agrees", "agrees"], ())


def test_code_from_another_folder_has_another_process(tmp_path: Path) -> None:
    """Both import a module of the same name: 1·1 + 1 = 2 values, 1·9 + 9 = 18."""
    for folder, width in (("a", 1), ("b", 9)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sizes.py").write_text(f"WIDTH = {width}\n")
        code = "from sizes import WIDTH\nfrom torch import nn\ndef net():\n    return nn.Linear(1, WIDTH)\n"
        (tmp_path / folder / "net.py").write_text(code)
    path = tmp_path / "zoo.claims.toml"
    models = [f'[[models]]\ntarget = "{name}/net.py:net"\n[[models.claims]]\nstated = "2"\n' for name in "ab"]
    path.write_text('source = "me"\n' + "".join(models))
    assert [audit.trainable for audit in api.audit_targets(path).audits] == [2, 18]


def test_the_command_shows_each_model_and_all_in_one_table(tmp_path: Path) -> None:
    path = write_zoo(tmp_path, ("narrow", "16"), ("wide", "51"), ("leaving", "1"))
    done = invoke("audit", str(path))
    assert done.returncode == 2
    rows = {
        line.split()[0]: line.split()[1:]
        for line in done.stdout.partition("Models:")[2].splitlines()
        if "zoo.py" in line
    }
    assert rows["zoo.py:narrow"] == ["16", "1", "of", "1", "agree", "agrees"]
    assert rows["zoo.py:wide"] == ["50", "0", "of", "1", "agree", "disagrees"]
    assert "zoo.py:leaving: its process ended" in done.stderr
    assert invoke("check", str(write_zoo(tmp_path, ("narrow", "16"), ("wide", "51")))).returncode == 1
    refused = invoke("audit", str(path), "--policy", "nonzero")
    assert refused.returncode == 2
    assert "only --timeout, --format and --output apply to a file about several models" in refused.stderr
