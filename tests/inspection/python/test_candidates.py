"""What a file could be audited for, by its text alone."""

from pathlib import Path

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inspection.python.candidates import Candidate, candidates
from tests.processes import invoke

TEXT = """
import enum
import torch
from dataclasses import dataclass
from torch import nn
from torch.nn import Module, functional as F
from base import Base, Settings

raise SystemExit("the file is run")

class Net(nn.Module):
    def __init__(self, width, /, depth, *, heads, bias=True): ...

class Plain(Module): ...

class Child(Net): ...

class Nested(torch.nn.Sequential):
    class Inner(nn.Module): ...

class Foreign(Base):
    def forward(self, x): return x

class Config(Settings):
    width: int = 3

class Kind(enum.Enum):
    def __init__(self): ...

@dataclass
class Data:
    width: int = 3

class _Private(nn.Module): ...

def annotated(path: str, size: int = 3) -> nn.Module: ...

def direct(): return Net(1, 2, heads=3)

def by_variable():
    model = _Private()
    model.eval()
    return model

def with_inputs(): return Child(), (torch.zeros(1),)

def by_factory(): return direct()

def squash(x): return F.relu(x)

def nothing(): return None

def uses_one():
    model = Net()
    return model.width

instance = Child()
number = int("3")
"""


def test_classes_factories_and_instances_in_order(tmp_path: Path) -> None:
    path = tmp_path / "models.py"
    path.write_text(TEXT)
    assert candidates(path) == (
        Candidate("Net", ("width", "depth", "heads")),
        Candidate("Plain"),
        Candidate("Child"),
        Candidate("Nested"),
        Candidate("Foreign"),
        Candidate("annotated", ("path",)),
        Candidate("direct"),
        Candidate("by_variable"),
        Candidate("with_inputs"),
        Candidate("by_factory"),
        Candidate("instance"),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"class (", "models.py, line 1: is not Python"), (b"\0", "is not Python"), (b"(" * 100_000, "is not Python")],
)
def test_what_is_no_python(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "models.py").write_bytes(content)
    with pytest.raises(CapsauditError, match=message):
        candidates(tmp_path / "models.py")


def test_audit_lists_them_as_command_lines(tmp_path: Path) -> None:
    """It is no audit, so a CI line that names no model does not pass."""
    (tmp_path / "my models.py").write_text(TEXT)
    done = invoke("audit", "my models.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    first, *listed = done.stderr.splitlines()
    assert first == "capsaudit: my models.py does not name a model in the file; these could be audited"
    assert listed[:2] == [
        "  capsaudit audit 'my models.py:Net' --kwarg width=… --kwarg depth=… --kwarg heads=…",
        "  capsaudit audit 'my models.py:Plain'",
    ]
    (tmp_path / "empty.py").write_text("import torch")
    assert invoke("audit", "empty.py", cwd=tmp_path).stderr.endswith("no class or function in it seems to be one\n")
