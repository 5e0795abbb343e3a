"""Somebody's model as a variant file that counts to just what the model holds."""

import tomllib
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

import capsaudit
from capsaudit import api
from capsaudit.catalogue import load_all, load_variant, shipped
from capsaudit.commands.audit import audit
from capsaudit.commands.write_variant import variant_toml, write_variant
from capsaudit.errors import CapsauditError
from capsaudit.inspection.load import inventory_of
from capsaudit.inventory import Inventory
from capsaudit.recognition.base import Match
from capsaudit.text import valid
from examples import capsnets
from examples.classifier import SmallClassifier
from tests.names import FIXED
from tests.processes import invoke


def matched(model: nn.Module) -> tuple[Match | None, Inventory]:
    inventory = inventory_of(model)
    return audit(inventory, load_all())[1], inventory


def written(model: nn.Module, path: Path) -> Path:
    match, inventory = matched(model)
    write_variant(match, inventory, path)
    return path


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_network_is_written_as_itself(name: str, tmp_path: Path) -> None:
    """Nothing is changed in the variant that it extends, and all that it expects holds."""
    path = written(capsaudit.build(name, device="meta"), tmp_path / "mine.toml")
    table = tomllib.loads(path.read_text())
    assert table.keys() == {"extends", "summary", "sources", "expected"}
    assert (table["extends"], table["sources"]) == (name, {})
    assert load_variant(path).spec == load_variant(name).spec
    assert api.check(path, witnesses=["formula"]).agrees


def test_changed_knobs_are_written_with_their_source(tmp_path: Path) -> None:
    """A decoder of 522 and 1176; 161·522 + 523·1176 + 1177·784 in place of the paper's three layers."""
    path = written(capsnets.OtherWidths(), tmp_path / "mine.toml")
    table = tomllib.loads(path.read_text())
    assert table["decoder"] == {"hidden": [522, 1176]}
    assert table["sources"] == {"decoder.hidden": "inferred from OtherWidths"}
    assert table["expected"]["total"] == 20_992 + 5_308_672 + 1_474_560 + 161 * 522 + 523 * 1176 + 1177 * 784
    assert api.check(path, witnesses=["formula"]).agrees


@pytest.mark.parametrize("name", FIXED)
def test_a_name_is_read_back_and_the_file_is_safe_to_show(name: str, tmp_path: Path) -> None:
    match, inventory = matched(capsnets.OtherWidths())
    path = tmp_path / "mine.toml"
    write_variant(match, msgspec.structs.replace(inventory, target=name), path)
    text = path.read_text(encoding="utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    table = tomllib.loads(text)
    assert table["summary"] == f"the network of {valid(name)}"
    assert table["sources"] == {"decoder.hidden": f"inferred from {valid(name)}"}
    assert api.check(path, witnesses=["formula"]).agrees


def test_frozen_values_are_expected_as_such(tmp_path: Path) -> None:
    """One frozen logit for each of 1152·10 pairs."""
    table = tomllib.loads(written(capsaudit.build("frozen-logits", device="meta"), tmp_path / "mine.toml").read_text())
    assert table["expected"]["frozen"] == 11_520
    assert table["expected"]["layers"]["digit_caps"]["frozen"] == 11_520


def test_what_no_knob_accounts_for_is_refused() -> None:
    with torch.device("meta"):
        model = capsnets.EightConvolutions()
        model.extra = nn.Linear(5, 7)
    match, inventory = matched(model)
    assert match is not None
    with pytest.raises(CapsauditError, match=r"no variant file can describe it: no knob accounts for extra\.weight"):
        variant_toml(match, inventory)


def test_a_model_of_no_known_architecture_is_refused(tmp_path: Path) -> None:
    match, inventory = matched(SmallClassifier())
    assert match is None
    with pytest.raises(CapsauditError, match="its tensors match no known architecture"):
        write_variant(match, inventory, tmp_path / "mine.toml")
    assert not (tmp_path / "mine.toml").exists()


def test_the_option_of_audit(tmp_path: Path) -> None:
    target = f"{capsnets.__file__}:OtherWidths"
    done = invoke("audit", target, "--against", "paper", "--write-variant", "mine.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert load_variant(tmp_path / "mine.toml").spec == load_variant("paper", settings=["decoder.hidden=522,1176"]).spec
