"""What the name of a shard says, and what its count can be compared with."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from capsaudit import api
from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.shards import Shard, incompleteness, shard_of
from tests.processes import invoke

CLAIMS = """
source = "a card"
target = "model-00002-of-00002.safetensors"
[[claims]]
stated = "21"
"""


NO_SHARDS = (
    "model.safetensors",
    "model-1-of-4.safetensors",
    "model-00001-of-00001.safetensors",
    "-00001-of-00002.pt",
    "net",
)


@pytest.mark.parametrize("name", NO_SHARDS)
def test_other_names_are_no_shards(name: str) -> None:
    assert shard_of(name) is None


def test_a_shard_of_any_kind() -> None:
    assert shard_of("a-b-00003-of-00012.bin") == Shard("a-b.bin", 3, 12)
    assert shard_of("model-q4_k-00001-of-00002.gguf") == Shard("model-q4_k.gguf", 1, 2)


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    save_file({"a.weight": torch.zeros(3, 2), "a.bias": torch.zeros(3)}, tmp_path / "model-00001-of-00002.safetensors")
    save_file({"b.weight": torch.zeros(4, 3)}, tmp_path / "model-00002-of-00002.safetensors")
    return tmp_path


def test_where_the_whole_is(shards: Path) -> None:
    shard, index = shards / "model-00002-of-00002.safetensors", shards / "model.safetensors.index.json"
    assert str(incompleteness(shard)).endswith(f"; for the whole, audit {shards}/")
    index.write_text("{}")
    assert str(incompleteness(shard)).endswith(f"; for the whole, audit {index}")


def test_a_shard_is_counted_and_said_to_be_one(shards: Path) -> None:
    found = api.audit_target(str(shards / "model-00002-of-00002.safetensors"))
    assert (found.trainable, found.verdict) == (12, "unstated")  # 4·3
    assert "model-00002-of-00002.safetensors is shard 2 of 2, a part of the network" in found.notes[0]


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        pytest.param("", 2, id="the whole"),
        pytest.param('except = ["b"]', 2, id="the whole without a layer"),
        pytest.param('layer = "b"', 1, id="a layer of the shard"),
    ],
)
def test_a_claim_about_the_whole_cannot_be_judged(shards: Path, claim: str, code: int) -> None:
    (shards / "net.claims.toml").write_text(CLAIMS + claim)
    run = invoke("audit", str(shards / "net.claims.toml"))
    assert run.returncode == code
    if code == 2:
        assert (
            "net.claims.toml:4: a claim about the whole model; model-00002-of-00002.safetensors is shard 2 of 2"
            in run.stderr
        )


def test_a_shard_is_not_compared_with_a_network(shards: Path) -> None:
    with pytest.raises(CapsauditError, match=r"is shard 1 of 2.*; only a whole network is compared"):
        api.audit_target(str(shards / "model-00001-of-00002.safetensors"), against="paper")
