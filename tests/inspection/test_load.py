"""Loading a target of each kind: what is read, in which directory, and what does not apply to it."""

from inspect import signature
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from capsaudit import api, cli
from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED
from capsaudit.inspection.load import load


def test_the_time_limit_is_the_same_everywhere() -> None:
    limits = {signature(takes).parameters["timeout"].default for takes in (load, api.audit_target, cli.audit)}
    assert len(limits) == 1


NET = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, hidden=3):
        super().__init__()
        self.fc = nn.Linear(2, hidden)
        self.ids = nn.Embedding(5, 2)
    def forward(self, x, ids=None):
        print("noise")
        return self.fc(x) if ids is None else self.fc(x + self.ids(ids))
def with_inputs():
    return Net(), torch.zeros(4, 2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a model in each kind of file, which is not the current one."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "loaded_net.py").write_text(NET)
    state = {"fc.weight": torch.zeros(3, 2), "fc.bias": torch.zeros(3)}
    torch.save(state, folder / "net.pt")
    save_file(state, folder / "net.safetensors")
    return folder


@pytest.mark.parametrize("target", ["net.pt", "net.safetensors"])
def test_a_file_is_read(folder: Path, target: str) -> None:
    found = load(target, folder=folder)
    assert (found.target, found.trainable(), found.findings) == (target, 9, ())  # 3·2 + 3
    assert found.notes == (TRAINABLE_ASSUMED,)


@pytest.mark.parametrize("target", ["loaded_net:Net", "loaded_net.py:Net"])
def test_python_code_is_built_but_not_run_without_inputs(folder: Path, target: str) -> None:
    before = Path.cwd()
    found = load(target, folder=folder)
    assert found.trainable() == 19  # (2 + 1)·3 + 5·2
    assert found.notes == ("Net() was called",)
    assert [finding.kind for finding in found.findings] == ["not probed"]
    assert Path.cwd() == before


def test_arguments_are_parsed_or_passed_as_values(folder: Path) -> None:
    assert load("loaded_net.py:Net", folder=folder, kwargs=["hidden=4"]).trainable() == 22  # (2 + 1)·4 + 5·2
    assert load("loaded_net.py:Net", folder=folder, kwargs={"hidden": 4}).trainable() == 22


def test_inputs_are_made_from_shapes_and_dtypes(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    floats = load("loaded_net.py:Net", folder=folder, inputs=["2"])
    assert [(finding.kind, finding.path) for finding in floats.findings] == [("unused", "ids.weight")]
    both = load("loaded_net.py:Net", folder=folder, inputs=["2", ":int64"])
    assert (both.findings, both.examples) == ((), ((2,), ()))
    assert capfd.readouterr().out == ""  # what forward prints goes to standard error


def test_inputs_of_the_factory_are_used_unless_others_are_given(folder: Path) -> None:
    found = load("loaded_net.py:with_inputs", folder=folder)
    assert [(finding.kind, finding.path) for finding in found.findings] == [("unused", "ids.weight")]
    assert load("loaded_net.py:with_inputs", folder=folder, inputs=["2", ":int64"]).findings == ()


@pytest.mark.parametrize("target", ["net.pt", "net.safetensors"])
def test_arguments_do_not_apply_to_files(folder: Path, target: str) -> None:
    expected = f"{target}: is a file; --kwarg and --input apply only to models in Python code"
    for kwargs, inputs in ((["hidden=4"], []), ([], ["2"])):
        with pytest.raises(CapsauditError) as caught:
            load(target, folder=folder, kwargs=kwargs, inputs=inputs)
        assert str(caught.value) == expected


@pytest.mark.parametrize("target", ["absent.pt", "absent.safetensors", "absent.py:Net"])
def test_a_missing_file_is_reported(folder: Path, target: str) -> None:
    with pytest.raises(CapsauditError, match=r"absent\.\w+: file not found \(current directory: "):
        load(target, folder=folder)
