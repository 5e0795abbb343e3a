"""reconcile --model: somebody's model, counted in other ways."""

import json
from pathlib import Path

import pytest

from capsaudit.commands.reconcile_model import NOT_RUN, reconcile_model
from capsaudit.errors import CapsauditError
from capsaudit.published import parse_figure
from tests.interpretations.models import LANGUAGE_MODEL, tensor
from tests.processes import invoke

MODEL = """
from torch import nn

class Auxiliary(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.body = nn.Linear(8, width)
        self.auxiliary = nn.Linear(width, 4)
        self.head = nn.Linear(width, 4)

    def forward(self, x):
        return self.head(self.body(x))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(MODEL)
    return tmp_path


def answer(folder: Path, *arguments: str) -> dict[str, object]:
    done = invoke("reconcile", *arguments, "--format", "json", cwd=folder)
    assert "Traceback" not in done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    assert done.returncode == (0 if found["found"] else 1)
    return found


def test_what_no_forward_uses_is_known_where_the_model_was_run(folder: Path) -> None:
    """(8 + 1)·16 + (16 + 1)·4 = 212 without the auxiliary head of 68; the other head has 68 too."""
    ran = answer(folder, "212", "--model", "net.py:Auxiliary", "--input", "8")
    changes = [[(c["knob"], c["to"]) for c in each["changes"]] for each in ran["explanations"]]  # type: ignore[attr-defined]
    assert [("counting.unused", "left out")] in changes
    assert ran["notes"] == []
    assert ran["total"] == 280
    still = answer(folder, "212", "--model", "net.py:Auxiliary")
    assert "counting.unused" not in str(still["explanations"])
    assert still["notes"] == [NOT_RUN]


def test_a_model_with_arguments(folder: Path) -> None:
    """(8 + 1)·32 = 288 in its body."""
    found = answer(folder, "288", "--model", "net.py:Auxiliary", "--kwarg", "width=32")
    assert found["explanations"][0]["selection"]["layers"] == ["body"]  # type: ignore[index]


def test_nothing_found_is_exit_1(folder: Path) -> None:
    done = invoke("reconcile", "5M", "--model", "net.py:Auxiliary", cwd=folder)
    assert done.returncode == 1
    assert "no interpretation rounds to 5M (" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("5M", "--input", "8"), "--kwarg, --input and --part need --model"),
        (
            ("5M", "--model", "net.py:Auxiliary", "--from", "paper"),
            "--model takes no --joint, --from, --space or --witness",
        ),
        (("--model", "net.py:Auxiliary"), "expected either a FIGURE"),
        (("many", "--model", "net.py:Auxiliary"), "'many' is not a figure"),
        (("5M", "--model", "net.py:Missing"), "Missing"),
    ],
)
def test_bad_usage(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = invoke("reconcile", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_all_are_counted_and_the_first_are_listed() -> None:
    every = reconcile_model(parse_figure("1K"), LANGUAGE_MODEL, top=1000)
    few = reconcile_model(parse_figure("1K"), LANGUAGE_MODEL, top=3)
    assert len(every.explanations) == every.found == few.found > 3
    assert few.explanations == every.explanations[:3]
    assert sum(group.found for group in every.by_changes) == every.found


def test_more_changes_of_an_explanation_are_redundant() -> None:
    found = reconcile_model(parse_figure("1K"), LANGUAGE_MODEL, top=1000)
    made = [frozenset(change.knob + str(change.after) for change in each.changes) for each in found.explanations]
    redundant = [any(fewer < changes for fewer in made) for changes in made]
    assert [each.evidence == "redundant" for each in found.explanations] == redundant
    assert {True, False} == set(redundant)


def test_limits() -> None:
    assert reconcile_model(parse_figure("196"), LANGUAGE_MODEL, changes_at_most=1).found == 0  # it needs two
    for wrong in ({"changes_at_most": 0}, {"top": 0}):
        with pytest.raises(CapsauditError, match="expected at least 1"):
            reconcile_model(parse_figure("196"), LANGUAGE_MODEL, **wrong)


def test_a_part_of_a_model_is_not_searched() -> None:
    from msgspec.structs import replace

    part = replace(LANGUAGE_MODEL, tensors=(tensor("a", 2),), incomplete="is one shard of several")
    with pytest.raises(CapsauditError, match="is one shard of several; only a whole model is searched"):
        reconcile_model(parse_figure("2"), part)
