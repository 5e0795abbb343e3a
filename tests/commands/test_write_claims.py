"""Counts of a model as a file of claims: it holds at once, and no longer when the model changes."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from capsaudit.commands.write_claims import write_claims
from capsaudit.errors import CapsauditError
from capsaudit.inventory import Inventory, InventoryTensor
from tests.claims import EXAMPLES
from tests.processes import invoke

HALF_FROZEN = """
from torch import nn
from classifier import SmallClassifier

def net(classes: int = 10):
    model = SmallClassifier(classes)
    model.body[0].requires_grad_(False)
    return model
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("classifier.py", "capsnets.py"):
        (tmp_path / name).write_text((EXAMPLES / name).read_text())
    (tmp_path / "half.py").write_text(HALF_FROZEN)
    (tmp_path / "sub").mkdir()
    return tmp_path


def write(folder: Path, *arguments: str, to: str = "net.claims.toml") -> dict[str, Any]:
    done = invoke("audit", *arguments, "--write-claims", to, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"capsaudit audit {to}" in done.stderr
    return tomllib.loads((folder / to).read_text())


def test_layers_are_grouped_and_each_kind_of_values_is_a_claim(folder: Path) -> None:
    """Frozen 4·(9 + 1); trained 2·4 and 3·(4·26·26 + 1); in buffers 2·4 + 1."""
    file = write(folder, "half.py:net", "--kwarg", "classes=3", "--input", "1,28,28")
    assert (file["source"], file["target"], file["input"], file["kwargs"]) == (
        "measured",
        "half.py:net",
        ["1,28,28"],
        {"classes": 3},
    )
    assert file["claims"] == [
        {"stated": "8,123"},
        {"stated": "40", "count": "frozen"},
        {"stated": "9", "count": "buffers"},
        {"layer": "body", "stated": "8"},
        {"layer": "body", "stated": "40", "count": "frozen"},
        {"layer": "body", "stated": "9", "count": "buffers"},
        {"layer": "head", "stated": "8,115"},
    ]


@pytest.mark.parametrize("to", ["net.claims.toml", "sub/net.claims.toml"])
@pytest.mark.parametrize("target", ["classifier.py:SmallClassifier", "capsnets.py:ThirtyTwoConvolutions"])
def test_the_file_holds_and_fails_when_the_model_changes(folder: Path, target: str, to: str) -> None:
    write(folder, target, to=to)
    found = json.loads(invoke("audit", to, "--format", "json", cwd=folder).stdout)
    assert found["verdict"] == "agrees"
    assert [claim["line"] for claim in found["claims"]] == [
        number for number, line in enumerate((folder / to).read_text().splitlines(), start=1) if line == "[[claims]]"
    ]
    source = folder / target.partition(":")[0]
    source.write_text(source.read_text().replace("nn.Conv2d(1, ", "nn.Conv2d(2, "))
    assert invoke("audit", to, cwd=folder).returncode == 1


def test_nothing_is_replaced(folder: Path) -> None:
    (folder / "net.claims.toml").write_text("mine")
    (folder / "link.claims.toml").symlink_to("nowhere")
    for name, message in (
        ("net.claims.toml", "net.claims.toml: exists; remove it first, or name another file"),
        ("link.claims.toml", "link.claims.toml: exists"),
        ("net.toml", "net.toml: expected a name that ends with .claims.toml"),
        ("nowhere/net.claims.toml", "cannot be written"),
    ):
        done = invoke("audit", "classifier.py:SmallClassifier", "--write-claims", name, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
    assert (folder / "net.claims.toml").read_text() == "mine"
    assert not (folder / "net.toml").exists()


def test_a_module_that_is_found_only_here_is_not_named_elsewhere(folder: Path) -> None:
    done = invoke("audit", "classifier:SmallClassifier", "--write-claims", "sub/net.claims.toml", cwd=folder)
    assert done.returncode == 2
    assert f"is imported from {folder}; write its claims there" in done.stderr
    assert write(folder, "classifier:SmallClassifier")["target"] == "classifier:SmallClassifier"


def test_a_file_of_claims_can_be_measured_again_elsewhere(folder: Path) -> None:
    write(folder, "classifier.py:SmallClassifier", "--kwarg", "classes=3")
    file = write(folder, "net.claims.toml", to="sub/again.claims.toml")
    assert (file["target"], file["kwargs"]) == ("../classifier.py:SmallClassifier", {"classes": 3})
    assert invoke("audit", "sub/again.claims.toml", cwd=folder).returncode == 0


def tensor(name: str, count: int) -> InventoryTensor:
    return InventoryTensor(
        name=name, layer=name.rpartition(".")[0], kind="", shape=(count,), count=count, trainable=True, buffer=False,
        dtype="float32", bytes=4 * count, counts={"nonzero": 1},
    )  # fmt: skip


def written(tmp_path: Path, *names: str, policy: str = "stored") -> list[dict[str, str]]:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.claims.toml"
    inventory = Inventory(target="net.safetensors", tensors=tuple(tensor(name, 2) for name in names))
    write_claims(inventory, path, kwargs={}, inputs=(), policy=policy, folder=None)
    claims: list[dict[str, str]] = tomllib.loads(path.read_text())["claims"]
    return claims


def test_groups_are_as_deep_as_the_names_differ(tmp_path: Path) -> None:
    total, *groups = written(tmp_path, "model.a.0.weight", "model.a.1.weight", "model.scale")
    assert total == {"stated": "6"}
    assert groups == [{"layer": "model.a", "stated": "4"}, {"layer": "model.scale", "stated": "2"}]
    assert written(tmp_path, "weight") == [{"stated": "2"}, {"layer": "weight", "stated": "2"}]
    assert written(tmp_path) == [{"stated": "0"}]


def test_a_name_that_is_a_pattern_of_others_is_no_group(tmp_path: Path) -> None:
    """`[ab].*` would select a and b; the total still has its values."""
    assert written(tmp_path, "[ab].w", "a.w", "b.w") == [
        {"stated": "6"},
        {"layer": "a", "stated": "2"},
        {"layer": "b", "stated": "2"},
    ]


def test_names_are_safe_to_show(tmp_path: Path) -> None:
    hostile = "a\u001b[31m\u202e"
    written(tmp_path, f"{hostile}.w", "b")
    text = next(tmp_path.glob("*.claims.toml")).read_text()
    assert not {"\u001b", "\u202e"} & set(text)
    assert tomllib.loads(text)["claims"][1]["layer"] == hostile


def test_the_policy_is_that_of_the_counts(tmp_path: Path) -> None:
    assert written(tmp_path, "a", "b", policy="nonzero")[0] == {"stated": "2"}
    assert tomllib.loads((tmp_path / "0.claims.toml").read_text())["policy"] == "nonzero"


def test_a_name_that_would_not_be_recognised_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CapsauditError, match="expected a name"):
        write_claims(
            Inventory(target="x.pt", tensors=()),
            tmp_path / "x.toml",
            kwargs={},
            inputs=(),
            policy="stored",
            folder=None,
        )
