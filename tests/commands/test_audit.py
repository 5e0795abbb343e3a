"""audit as users run it, on real files; and what is shipped for other tools."""

import json
import os
import pickle
import re
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from capsaudit import api
from examples import capsnets
from tests.processes import imported_by, invoke, run

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


class Attack:
    """A pickle of this would write a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (self.path, "executed"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text((EXAMPLES / "classifier.py").read_text())
    (tmp_path / "broken.py").write_text("class Net(\n")
    (tmp_path / "raises.py").write_text("def make():\n    raise RuntimeError('no luck')\n")
    (tmp_path / "lazy.py").write_text("from torch import nn\ndef make():\n    return nn.LazyLinear(3)\n")
    (tmp_path / "short.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    (tmp_path / "attack.pt").write_bytes(pickle.dumps({"weight": Attack(tmp_path / "proof")}))
    torch.save({"weight": torch.zeros(2), "name": "mine"}, tmp_path / "mixed.pt")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "run"),
    [({}, False), ({"inputs": (torch.zeros(1, 3),)}, True), ({"kwargs": {"input": torch.zeros(1, 3)}}, True)],
)
def test_the_behaviour_of_a_module_in_memory_is_determined_where_it_is_run(
    arguments: dict[str, Any], run: bool
) -> None:
    """By inputs in order or by name; `not recognised` is a verdict as well."""
    found = api.audit(nn.Linear(3, 4), **arguments).behaviour
    assert (None if found is None else found.verdict) == ("not recognised" if run else None)
    assert api.audit(nn.Linear(3, 4), **arguments, behaviour=False).behaviour is None


def test_layers_that_the_variant_does_not_have_are_all_difference() -> None:
    """161·512, 513·1024 and 1025·784 values of a decoder, of which a variant without one expects none."""
    layers = {layer.name: layer for layer in api.audit(capsnets.EightConvolutions(), against="paper-no-decoder").layers}
    for name, values in (("fc1", 161 * 512), ("fc2", 513 * 1024), ("fc3", 1025 * 784)):
        assert (layers[name].trainable, layers[name].expected, layers[name].difference) == (values, 0, values)


def test_policies_are_about_parameters_and_not_about_buffers() -> None:
    """A complex value is two reals: three values more of a parameter of three, and none more of a buffer of five."""
    model = nn.Module()
    model.weight = nn.Parameter(torch.ones(3, dtype=torch.complex64))
    model.register_buffer("table", torch.ones(5, dtype=torch.complex64))
    assert api.audit(model).policies == {"stored": 3, "reals": 6}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.py:Smallclassifier"], "did you mean 'SmallClassifier'?"),
        (["net.py"], "does not name a model in the file"),
        (["nowhere.py:Net"], "nowhere.py"),
        (["no.such.module:Net"], "no module named 'no'"),
        (["net.txt"], "is not a valid target; expected package.module:Name"),
        (["broken.py:Net"], "broken.py, line 1"),
        (["raises.py:make"], "building the model failed: RuntimeError: no luck"),
        (["net.py:SmallClassifier", "--kwarg", "clases=3"], "has no argument 'clases'; did you mean 'classes'?"),
        (["net.py:SmallClassifier", "--kwarg", "classes"], "expected name=value"),
        (["net.py:SmallClassifier", "--input", "1,28,x"], "expected positive sizes, such as 1,28,28"),
        (["net.py:SmallClassifier", "--policy", "strored"], "did you mean 'stored'?"),
        (["net.py:SmallClassifier", "--against", "papr"], "did you mean 'paper'?"),
        (
            ["net.py:SmallClassifier", "--against", "paper"],
            "its tensors match no capsnet network, so it cannot be compared with paper",
        ),
        (["net.py:SmallClassifier", "--write-variant", "out.toml"], "so there is no variant to write"),
        (["lazy.py:make"], "has no shape until a forward pass creates it; pass an input (--input)"),
        (["short.safetensors"], "only 2 follow"),
        (["attack.pt"], "attack.pt"),
        (["mixed.pt"], "name"),
        (["nowhere.claims.toml"], "cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_message(folder: Path, arguments: list[str], message: str) -> None:
    done = invoke("audit", *arguments, cwd=folder)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "proof").exists()
    assert not (folder / "out.toml").exists()


def test_the_attack_would_work(tmp_path: Path) -> None:
    """Loaded as a pickle, it does write."""
    pickle.loads(pickle.dumps(Attack(tmp_path / "proof")))
    assert (tmp_path / "proof").read_text() == "executed"


def test_json_has_the_keys_of_the_contract() -> None:
    done = run("audit", "capsnets.py:OneConvolution", "--against", "paper", "--format", "json", cwd=EXAMPLES)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["schema"], found["closest"], found["difference"], found["verdict"]) == (
        2,
        "paper",
        11_520,
        "disagrees",
    )
    assert (found["trainable"], found["frozen"], found["buffers"], found["recognised"]) == (8_227_088, 0, 0, "capsnet")
    assert [step["knob"] for step in found["explanations"]] == ["digit_caps.logits"]
    assert {"target", "layers", "warnings"} <= found.keys()


def write_zeros(path: Path, shapes: dict[str, list[int]]) -> None:
    """A .safetensors file of tensors of float32."""
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + bytes(end))


def test_a_header_is_read_without_torch(tmp_path: Path) -> None:
    write_zeros(tmp_path / "w.safetensors", {"w": [2, 3]})
    (tmp_path / "w.claims.toml").write_text('source = "me"\ntarget = "w.safetensors"\n[[claims]]\nstated = "6"\n')
    imported = imported_by(["audit", str(tmp_path / "w.claims.toml")])
    assert "typer" in imported
    assert not {"torch", "numpy"} & imported


def test_a_name_in_a_file_cannot_reach_the_terminal(tmp_path: Path) -> None:
    write_zeros(tmp_path / "w.safetensors", {"a\u001b[31mb\u0007": [1]})
    done = invoke("audit", "w.safetensors", cwd=tmp_path)
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_a_large_model_is_shown_in_groups(tmp_path: Path) -> None:
    """2,000 blocks of two layers of 6 values each."""
    names = [f"blocks.{n}.{part}.weight" for n in range(2000) for part in ("query", "key")]
    write_zeros(tmp_path / "w.safetensors", {name: [2, 3] for name in names})
    printed = invoke("audit", "w.safetensors", cwd=tmp_path).stdout
    assert len(printed.splitlines()) < 20
    assert "blocks.0 … 1999" in printed
    assert "2,000 × 12" in printed
    assert "24,000" in printed


def test_values_that_no_knob_explains_are_no_agreement() -> None:
    """The paper's network and a tensor of 42 values that belongs to none of its layers."""
    model = api.build("paper")
    assert api.audit(model, against="paper").verdict == "agrees"
    model.register_parameter("more", torch.nn.Parameter(torch.zeros(42)))
    audited = api.audit(model, against="paper")
    assert (audited.closest, audited.explanations, audited.unexplained) == ("paper", (), 42)
    assert audited.verdict == "disagrees"


@pytest.mark.parametrize(
    ("part", "verdict"),
    [
        ("register_buffer('mask', torch.zeros(4))", "agrees"),  # no parameter
        ("register_parameter('more', torch.nn.Parameter(torch.zeros(4), requires_grad=False))", "disagrees"),
    ],
)
def test_the_verdict_is_about_all_parameters_and_not_those_that_train_alone(
    tmp_path: Path, part: str, verdict: str
) -> None:
    code = "import torch\nfrom capsnets import EightConvolutions\ndef net():\n    model = EightConvolutions()\n"
    (tmp_path / "net.py").write_text(f"{code}    model.{part}\n    return model\n")
    (tmp_path / "capsnets.py").write_text((EXAMPLES / "capsnets.py").read_text())
    found = json.loads(invoke("audit", "net.py:net", "--against", "paper", "--format", "json", cwd=tmp_path).stdout)
    assert (found["closest"], found["difference"], found["verdict"]) == ("paper", 0, verdict)
    assert found["beyond"] == [""]


def test_the_values_of_a_layer_add_up() -> None:
    """Frozen 2·3 + 3; 3 + 3 trained, 3 + 3 + 1 in buffers."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 3).requires_grad_(False), torch.nn.BatchNorm1d(3))
    audited = api.audit(model)
    rows = {layer.name: (layer.trainable, layer.frozen, layer.buffers) for layer in audited.layers}
    assert rows == {"0": (0, 9, 0), "1": (6, 0, 7)}
    assert (audited.trainable, audited.frozen, audited.buffers) == (6, 9, 7)
    assert audited.bytes == 4 * (9 + 6 + 6) + 8  # the number of batches is a 64-bit integer


@pytest.mark.parametrize(
    ("stated", "against", "code"),
    [("8,227,088", "trainable-logits", 0), ("8,227,088", "paper", 1), ("8,215,568", "trainable-logits", 1)],
)
def test_claims_and_a_variant_must_both_hold(tmp_path: Path, stated: str, against: str, code: int) -> None:
    """The example trains b: 8,215,568 + 1152·10. Claims that hold do not hide that it is another variant, in any format."""
    (tmp_path / "mine.claims.toml").write_text(f'source = "me"\n[[claims]]\nstated = "{stated}"\n')
    arguments = ["capsnets.py:OneConvolution", "--claims", str(tmp_path / "mine.claims.toml"), "--against", against]
    for form in ("json", "github", "junit"):
        done = invoke("audit", *arguments, "--format", form, cwd=EXAMPLES)
        assert done.returncode == code
        assert ("::error" in done.stdout or "<failure" in done.stdout or '"disagrees"' in done.stdout) == bool(code)


FILE = """
source = "me"
target = "net.py:SmallClassifier"
input = ["3,28,28"]
policy = "nonzero"
[[claims]]
stated = "1"
"""


def test_a_file_of_claims_sets_input_and_policy_unless_they_are_given(folder: Path) -> None:
    """The network takes one channel, so the file's input of three fails."""
    path = folder / "net.claims.toml"
    path.write_text(FILE)
    assert "forward raised" in api.audit_target(str(path)).warnings[0].message
    assert api.audit_target(str(path), inputs=["1,28,28"]).policy == "nonzero"
    assert api.audit_target(str(path), inputs=["1,28,28"], policy="reals").policy == "reals"


def test_the_help_says_that_code_is_run() -> None:
    assert "Auditing Python code runs it" in " ".join(invoke("audit", "--help").stdout.split())


@pytest.mark.skipif(sys.platform == "win32", reason="the hook runs in bash")
def test_the_hook_for_claims(tmp_path: Path) -> None:
    """Its entry with several files, one of which does not agree: 2·3 values."""
    entry = next(line for line in (ROOT / ".pre-commit-hooks.yaml").read_text().splitlines() if "for file" in line)
    command = entry.partition("entry: ")[2]
    write_zeros(tmp_path / "net.safetensors", {"w": [2, 3]})
    for name, figure in (("right", "6"), ("wrong", "7")):
        claims = f'source = "me"\ntarget = "net.safetensors"\n[[claims]]\nstated = "{figure}"\n'
        (tmp_path / f"{name}.claims.toml").write_text(claims)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for files, code in (
        ("right.claims.toml", 0),
        ("right.claims.toml right.claims.toml", 0),
        ("wrong.claims.toml right.claims.toml", 1),
        ("right.claims.toml wrong.claims.toml", 1),
    ):
        done = subprocess.run(
            ["bash", "-c", f"{command} {files}"],
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done.stderr


@pytest.fixture
def guarded(folder: Path) -> Path:
    """Two files of claims, one of which does not hold: 27,098 values, not 27,099."""
    for name, figure in (("right", "27,098"), ("wrong", "27,099")):
        text = f'source = "me"\ntarget = "net.py:SmallClassifier"\n[[claims]]\nstated = "{figure}"\n'
        (folder / f"{name}.claims.toml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("targets", "code", "verdicts", "fault"),
    [
        (["right.claims.toml"], 0, ["agrees"], None),
        (["wrong.claims.toml", "right.claims.toml"], 1, ["disagrees", "agrees"], None),
        (["wrong.claims.toml", "nowhere.claims.toml"], 2, ["disagrees"], "nowhere.claims.toml: cannot be read"),
        (["right.claims.toml", "net.py:SmallClassifier"], 2, ["agrees", "unstated"], "nothing is stated about it"),
    ],
)
def test_the_targets_of_the_project(
    guarded: Path, targets: list[str], code: int, verdicts: list[str], fault: str | None
) -> None:
    """The exit code is the worst, and a target that cannot be audited hides no other."""
    (guarded / "pyproject.toml").write_text(f"[tool.capsaudit]\ntargets = {json.dumps(targets)}\n")
    done = invoke("audit", "--format", "json", cwd=guarded)
    document = json.loads(done.stdout)
    assert done.returncode == code
    assert [each["verdict"] for each in document["audits"]] == verdicts
    assert len(document["faults"]) == (fault is not None)
    assert (fault or "") in done.stderr
    assert bool(done.stderr) == (fault is not None)


def test_without_a_target_options_of_one_are_refused(guarded: Path) -> None:
    (guarded / "pyproject.toml").write_text('[tool.capsaudit]\ntargets = ["right.claims.toml"]\n')
    for option in (["--claims", "right.claims.toml"], ["--against", "paper"], ["--write-claims", "a.claims.toml"]):
        done = invoke("audit", *option, cwd=guarded)
        assert (done.returncode, done.stdout) == (2, "")
        assert "apply without TARGET" in done.stderr
    assert "no TARGET and no pyproject.toml here" in invoke("audit", cwd=guarded.parent).stderr


@pytest.mark.parametrize("command", ["claims", "check"])
def test_other_gates_audit_files_about_a_model(guarded: Path, command: str) -> None:
    done = invoke(command, "right.claims.toml", "wrong.claims.toml", "--format", "json", cwd=guarded)
    assert done.returncode == 1
    assert [each["verdict"] for each in json.loads(done.stdout)["audits"]] == ["agrees", "disagrees"]
    for arguments in (["right.claims.toml", "paper"], ["right.claims.toml", "--witness", "formula"]):
        done = invoke(command, *arguments, cwd=guarded)
        assert (done.returncode, done.stdout) == (2, "")
        assert "right.claims.toml is about a model" in done.stderr


def test_tensors_are_listed_only_where_that_is_asked_for(folder: Path) -> None:
    shown = invoke("audit", "net.py:SmallClassifier", cwd=folder).stdout
    listed = invoke("audit", "net.py:SmallClassifier", "--tensors", cwd=folder).stdout
    assert "running_mean" not in shown
    assert "body.1.running_mean" in listed


def example_in(folder: Path, name: str) -> str:
    """An example of behaviour as a target there."""
    (folder / "tests").symlink_to(ROOT / "tests")
    return f"tests.parity.networks:{name}"


def test_behaviour_is_shown_and_sent_as_json(tmp_path: Path) -> None:
    target = example_in(tmp_path, "BareView")
    shown = invoke("audit", target, "--input", "1,12,12", cwd=tmp_path)
    assert shown.returncode == 0
    assert "primary_caps.layout is the first stage that differs" in " ".join(shown.stdout.split())
    found = json.loads(invoke("audit", target, "--input", "1,12,12", "--format", "json", cwd=tmp_path).stdout)
    rows = {row["stage"]: row["verdict"] for row in found["behaviour"]["stages"]}
    assert found["behaviour"]["verdict"] == "differs"
    assert [stage for stage, verdict in rows.items() if verdict == "differs"] == ["primary_caps.layout", "decoder"]


@pytest.mark.parametrize("arguments", [[], ["--input", "1,12,12", "--no-behaviour"]])
def test_no_behaviour_without_a_run_or_if_it_is_left_out(tmp_path: Path, arguments: list[str]) -> None:
    target = example_in(tmp_path, "BareView")
    assert json.loads(invoke("audit", target, *arguments, "--format", "json", cwd=tmp_path).stdout)["behaviour"] is None


IN_LOSS = """
import torch
from tests.parity.networks import LayerByLayer

class Net(LayerByLayer):
    def forward(self, x):
        return self.digits(self.primary(torch.relu(self.conv(x))))

    def loss(self, v, y):
        return torch.relu(0.9 - v.norm(dim=-1)).sum(), self.decoder((v * y[:, :, None]).flatten(1))
"""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--input", "1,12,12", "--method", "loss"], 0, "agrees"),
        (["--input", "1,12,12", "--method", "lose"], 2, "Net has no method 'lose'; did you mean 'loss'?"),
        (["--method", "loss"], 2, "the method loss was not called: it was not run; pass its input"),
        (["--input", "1,12,12", "--method", "loss", "--no-behaviour"], 2, "the method loss was not called"),
    ],
)
def test_methods_are_called_beside_forward(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    """Only `loss` is given labels, and runs the decoder."""
    (tmp_path / "net.py").write_text(f"import sys\nsys.path.append({str(ROOT)!r})\n{IN_LOSS}")
    done = invoke("audit", "net.py:Net", *arguments, "--format", "json", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    if code:
        assert words in " ".join(done.stderr.split())
    else:
        rows = {row["stage"]: row["verdict"] for row in json.loads(done.stdout)["behaviour"]["stages"]}
        assert rows["decoder"] == words


LOSSES = """
import torch

def margin(lengths, labels):
    present = torch.nn.functional.one_hot(labels, 10)
    return (present * torch.relu(0.9 - lengths) + (1 - present) * torch.relu(lengths - 0.1)).sum(1).mean()

def failing(lengths):
    raise ValueError("never")
"""


@pytest.mark.parametrize("form", ["json", "rich", "markdown", "github"])
def test_a_loss_is_compared_with_the_papers(tmp_path: Path, form: str) -> None:
    """Hinges that are not squared, and a weight of one: with --against, the loss alone makes the difference."""
    (tmp_path / "small.toml").write_text(SMALL)
    (tmp_path / "losses.py").write_text(LOSSES)
    target = example_in(tmp_path, "OneForward")
    arguments = [target, "--input", "1,12,12", "--against", "small.toml", "--loss", "losses.py:margin"]
    done = invoke("audit", *arguments, "--format", form, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    shown = re.sub(r"[\s|]+", " ", done.stdout)
    start = "margin loss::" if form == "github" else "no stage is known to differ; the margin loss does: "
    assert f"{start}“eq. 4, not squared, λ = 1," in shown
    if form == "json":
        rows = json.loads(done.stdout)["behaviour"]["loss"]
        keys = {"term", "verdict", "reference", "model", "factor", "error", "because"}
        assert [set(row) for row in rows] == [keys, keys]
        assert [(row["term"], row["verdict"]) for row in rows] == [
            ("margin", "differs"),
            ("reconstruction", "not seen"),
        ]


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("losses.py:marginal", "losses.py:marginal: module has no attribute 'marginal'; did you mean 'margin'?"),
        ("missing.py:margin", "missing.py: file not found"),
        (
            "losses.py:failing",
            "the loss did not run: failing(lengths = lengths) raised ValueError: never (losses.py, line 9)",
        ),
        ("lose", "OneForward has no method 'lose'"),
        ("losses.ipynb:margin", "is a notebook"),
    ],
)
def test_a_loss_that_cannot_be_called(tmp_path: Path, loss: str, words: str) -> None:
    (tmp_path / "losses.py").write_text(LOSSES)
    target = example_in(tmp_path, "OneForward")
    done = invoke("audit", target, "--input", "1,12,12", "--loss", loss, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())


SMALL = """
extends = "paper"
summary = "the sizes of the examples of behaviour"
[image]
height = 12
width = 12
[conv1]
channels = 16
kernel = 5
[primary_caps]
types = 4
kernel = 5
[decoder]
hidden = [32, 64]
[sources]
image = "tests"
conv1 = "tests"
primary_caps = "tests"
decoder = "tests"
"""


@pytest.mark.parametrize(
    ("example", "more", "code"),
    [("OneForward", [], 0), ("BareView", [], 1), ("BareView", ["--no-behaviour"], 0), ("UnknownScores", [], 0)],
)
def test_against_a_variant_a_difference_of_behaviour_disagrees(
    tmp_path: Path, example: str, more: list[str], code: int
) -> None:
    """Their counts agree. What cannot be determined is no disagreement."""
    (tmp_path / "small.toml").write_text(SMALL)
    target = example_in(tmp_path, example)
    arguments = [target, "--input", "1,12,12", "--against", "small.toml", *more]
    done = invoke("audit", *arguments, "--format", "github", cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert ("::error title=capsaudit primary_caps.layout::“neighbouring pixels" in done.stdout) == (code == 1)


def test_properties_of_a_capsule_network_are_shown_and_decide_nothing(tmp_path: Path) -> None:
    """An image's output depends on its batch: a warning, not a failure."""
    target = example_in(tmp_path, "MeanAgreement")
    shown = invoke("audit", target, "--input", "1,12,12", cwd=tmp_path)
    assert shown.returncode == 0
    assert "independent of the batch        no" in shown.stdout
    annotated = invoke("audit", target, "--input", "1,12,12", "--format", "github", cwd=tmp_path)
    assert annotated.returncode == 0
    assert "::warning title=capsaudit independent of the batch::does not hold: an example alone" in annotated.stdout
    assert "capsaudit repeatable" not in annotated.stdout


@pytest.mark.parametrize(
    ("target", "arguments", "verdict"),
    [
        ("net.py:SmallClassifier", ["--input", "1,28,28", "--properties"], "not recognised"),
        ("capsules", ["--input", "1,12,12", "--properties", "--no-behaviour"], "not run"),
    ],
)
def test_properties_are_tried_where_they_are_asked_for(
    folder: Path, target: str, arguments: list[str], verdict: str
) -> None:
    named = target if ".py" in target else example_in(folder, "OneForward")
    found = json.loads(invoke("audit", named, *arguments, "--format", "json", cwd=folder).stdout)["behaviour"]
    holds = {row["property"]: row["holds"] for row in found["properties"]}
    assert found["verdict"] == verdict
    assert holds["repeatable"] is True
    assert ("lengths below 1" in holds) == (target == "capsules")
    assert "Properties:" in invoke("audit", named, *arguments, "--format", "markdown", cwd=folder).stdout


@pytest.mark.parametrize("target", ["net.py:SmallClassifier", "weights.safetensors"])
def test_properties_need_an_input(folder: Path, target: str) -> None:
    write_zeros(folder / "weights.safetensors", {"weight": [2]})
    done = invoke("audit", target, "--properties", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "properties need an input to run the model on" in done.stderr
    with pytest.raises(api.CapsauditError, match="properties need an input"):
        api.audit(torch.nn.Linear(2, 3), properties=True)


def audited_against(target: str, other: str, cwd: Path) -> tuple[int, dict[str, Any]]:
    done = run("audit", target, "--input", "1,12,12", "--against", other, "--format", "json", cwd=cwd)
    return done.returncode, json.loads(done.stdout)


def test_two_models_stand_side_by_side(tmp_path: Path) -> None:
    """The other model is the reference in all that it computes, also where the paper says something else."""
    (tmp_path / "net.py").write_text("from tests.parity.networks import LayerByLayer, OnePassMore, SoftmaxOverInputs\n")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    code, found = audited_against("net.py:SoftmaxOverInputs", "net.py:LayerByLayer", tmp_path)
    differing = {row["stage"]: row for row in found["behaviour"]["stages"] if row["verdict"] != "agrees"}
    assert (code, found["against"], found["difference"]) == (1, "net.py:LayerByLayer", 0)
    assert list(differing) == ["softmax"]
    assert (differing["softmax"]["reference"], differing["softmax"]["model"]) == ("over the classes", "over the inputs")

    code, found = audited_against("net.py:SoftmaxOverInputs", "net.py:SoftmaxOverInputs", tmp_path)
    assert (code, found["behaviour"]["verdict"]) == (0, "agrees")
    code, found = audited_against("net.py:LayerByLayer", "net.py:OnePassMore", tmp_path)
    assert {
        row["stage"]: (row["reference"], row["model"])
        for row in found["behaviour"]["stages"]
        if row["verdict"] == "differs"
    } == {
        "iterations": ("4", "3"),
        "output": ("softmax of the lengths", "lengths"),
    }


def test_a_model_that_is_no_known_network_is_no_reference(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text((EXAMPLES / "classifier.py").read_text())
    done = run("audit", "net.py:SmallClassifier", "--against", "net.py:SmallClassifier", cwd=tmp_path)
    assert done.returncode == 2
    assert "net.py:SmallClassifier: its tensors form no network to compare with: " in done.stderr


ZEROS = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1, bias=False))
"""2·3 + 3 values, of which the bias is zero, and 3."""
nn.init.zeros_(ZEROS.get_parameter("0.bias"))


def test_zeros_are_counted_where_the_policy_or_a_claim_asks_for_it(tmp_path: Path) -> None:
    """The audit without them has no such policy, and no tensor has a count of it."""
    plain = api.audit(ZEROS)
    assert plain.policies == {"stored": 12}
    assert not any(tensor.counts for tensor in plain.tensors)
    assert api.audit(ZEROS, policy="nonzero").policies == {"stored": 12, "nonzero": 9}
    claims = tmp_path / "net.claims.toml"
    claims.write_text('source = "me"\n[[claims]]\nstated = "9"\npolicy = "nonzero"\n')
    assert api.audit(ZEROS, claims=[claims]).claims[0].verdict == "agrees"
    api.assert_counts(ZEROS, {"total": 9}, policy="nonzero")


def test_zeros_of_a_target_are_counted_where_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from torch import nn\ndef net(): return nn.LayerNorm(4)\n")  # its bias is zero
    assert api.audit_target(f"{tmp_path}/net.py:net", policy="nonzero").trainable == 4
    assert api.audit_target(f"{tmp_path}/net.py:net").policies == {"stored": 8}


def test_zeros_of_a_file_are_refused(tmp_path: Path) -> None:
    """No values are read: to count all of them as not zero would be wrong."""
    save_file({"weight": torch.zeros(3)}, tmp_path / "net.safetensors")
    with pytest.raises(
        api.CapsauditError, match="a file, of which no values are read; the policy nonzero applies only"
    ):
        api.audit_target(f"{tmp_path}/net.safetensors", policy="nonzero")


BY_NAME = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 2)
    def forward(self, x=None, *, input_ids, mask):
        assert input_ids.shape == (2, 16) and str(input_ids.dtype) == "torch.int64"
        return self.head(self.embedding(input_ids)) * mask[..., None]
class Batch(Net):
    def forward(self, batch):
        return super().forward(**batch)
def pretrained():
    net = Net()
    return net, {"input_ids": __import__("torch").zeros(2, 16, dtype=__import__("torch").int64), "mask": 1 + __import__("torch").zeros(2, 16)}
"""
NAMED = ["input_ids=16:int64", "mask=16"]


@pytest.fixture
def by_name(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(BY_NAME)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "inputs"),
    [("Net", NAMED), ("Batch", NAMED), ("pretrained", []), ("Net", ["3", *NAMED])],
    ids=["keywords", "one dict", "from a factory", "one by position too"],
)
def test_inputs_by_name_run_the_model(by_name: Path, name: str, inputs: list[str]) -> None:
    result = api.audit_target(f"{by_name}/net.py:{name}", inputs=inputs)
    assert result.warnings == ()
    assert result.trainable == 23  # 5·3 and 3·2 + 2


def test_a_missing_keyword_is_said(by_name: Path) -> None:
    (warning,) = api.audit_target(f"{by_name}/net.py:Net", inputs=["input_ids=16:int64"]).warnings
    assert "missing 1 required keyword-only argument: 'mask'" in warning.message


def test_a_misspelt_keyword_is_said(by_name: Path) -> None:
    (warning,) = api.audit_target(f"{by_name}/net.py:Batch", inputs=["inptu_ids=16:int64"]).warnings
    assert "its parameters are batch, so the inputs inptu_ids were passed as one dict" in warning.message


def test_an_input_by_position_and_by_name_is_refused(by_name: Path) -> None:
    """The first of those without a name is x, the second input_ids."""
    with pytest.raises(api.CapsauditError, match="--input: input_ids is given by its name and by its position"):
        api.audit_target(f"{by_name}/net.py:Net", inputs=["3", "16:int64", "input_ids=16:int64"])


def test_a_file_of_claims_has_inputs_by_name_and_is_written_with_them(by_name: Path) -> None:
    path = by_name / "net.claims.toml"
    api.audit_target(f"{by_name}/net.py:Net", inputs=["3", *NAMED], write_claims=path)
    assert 'input = [\n    "3",\n]' in path.read_text()
    assert '[inputs]\ninput_ids = "16:int64"\nmask = "16"\n' in path.read_text()
    result = api.audit_target(str(path))
    assert (result.warnings, result.verdict) == ((), "agrees")
