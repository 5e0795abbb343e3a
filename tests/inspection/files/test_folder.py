"""Folders with weights, as repositories of models have them: what is counted is said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from capsaudit import api
from capsaudit.errors import CapsauditError
from capsaudit.inspection.files import folder as folders
from capsaudit.inspection.files.weights import contents
from capsaudit.inspection.kinds import KINDS
from tests.processes import invoke

Save = Callable[..., None]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write files with one tensor each, whose values are as many as said."""

    def write(**sizes: int) -> None:
        for number, (text, size) in enumerate(sizes.items()):
            path = tmp_path / text
            path.parent.mkdir(exist_ok=True)
            content = {f"w{number}": torch.zeros(size)}
            save_file(content, path) if text.endswith(".safetensors") else torch.save(content, path)

    return write


def count(folder: Path, part: str | None = None) -> int:
    return sum(row.count for row in contents(folder, part).tensors)


def test_a_single_file_is_counted(tmp_path: Path, save: Save) -> None:
    save(**{"model.safetensors": 3})
    assert (count(tmp_path), contents(tmp_path).notes[0]) == (3, "counted is model.safetensors")


@pytest.mark.parametrize(
    ("files", "counted", "others"),
    [
        pytest.param({"pytorch_model.bin": 5, "model.safetensors": 3}, 3, '"pytorch_model.bin"', id="safetensors first"),
        pytest.param({"model.safetensors": 3, "consolidated.safetensors": 5}, 3, '"consolidated.safetensors"', id="the usual name first"),
        pytest.param({"model.safetensors": 3, "2_Dense/model.safetensors": 5}, 3, '"2_Dense/"', id="a folder in it"),
    ],
)  # fmt: skip
def test_what_is_not_counted_is_named(
    tmp_path: Path, save: Save, files: dict[str, int], counted: int, others: str
) -> None:
    save(**files)
    assert (count(tmp_path), contents(tmp_path).notes[0]) == (counted, f"not counted, beside it: {others}")


def test_every_kind_of_weights_has_its_place_in_a_folder() -> None:
    assert {suffix for kind in KINDS for suffix in kind.suffixes if kind.name != "index"} == set(folders._FORMATS)


def test_the_state_of_a_training_run_is_no_network(tmp_path: Path, save: Save) -> None:
    save(**{"pytorch_model.bin": 3, "optimizer.pt": 6, "scheduler.pt": 1, "training_args.bin": 1, "rng_state.pth": 2})
    assert (count(tmp_path), contents(tmp_path).notes[0]) == (3, "counted is pytorch_model.bin")


def test_the_shards_of_an_index_are_counted_once(tmp_path: Path, save: Save) -> None:
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    save(**dict.fromkeys(names, 3))
    index = {"weight_map": {"w0": names[0], "w1": names[1]}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert (count(tmp_path), contents(tmp_path).notes[0]) == (6, "2 shards by model.safetensors.index.json")  # 3 + 3


def test_shards_may_have_no_index(tmp_path: Path, save: Save) -> None:
    save(**{f"model-0000{n}-of-00003.safetensors": n for n in (1, 2, 3)})
    found = contents(tmp_path)
    assert (count(tmp_path), found.notes[0]) == (6, "3 shards of model.safetensors, which have no index")  # 1 + 2 + 3
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CapsauditError, match=r"has 2 of 3 shards of model\.safetensors; missing: 2; to count"):
        contents(tmp_path)


def test_several_files_are_several_networks(tmp_path: Path, save: Save) -> None:
    save(**{"low.safetensors": 3, "high.safetensors": 5})
    run = invoke("audit", str(tmp_path))
    assert run.returncode == 2
    assert "contains 2 networks; choose one with --part" in run.stderr
    assert "  --part high.safetensors (5 values)\n  --part low.safetensors (3 values)\n" in run.stderr
    assert api.audit_target(str(tmp_path), part="high.safetensors").trainable == 5


def test_networks_in_folders_of_their_own(tmp_path: Path, save: Save) -> None:
    save(
        **{
            "unet/diffusion_pytorch_model.safetensors": 3,
            "vae/diffusion_pytorch_model.safetensors": 5,
            "logs/notes.txt": 1,
        }
    )
    with pytest.raises(CapsauditError, match="contains 2 networks"):
        contents(tmp_path)
    assert [count(tmp_path, part) for part in ("unet", "vae")] == [3, 5]


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CapsauditError, match=r"has no file of weights; expected one of: \.pt"):
        contents(tmp_path)


def test_a_large_folder_is_refused(tmp_path: Path, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    save(**{"model.safetensors": 3, "other.txt": 1})
    monkeypatch.setattr(folders, "LARGEST_FOLDER", 1)
    with pytest.raises(CapsauditError, match="has more than 1 entries"):
        contents(tmp_path)


def test_the_configuration_is_named(tmp_path: Path, save: Save) -> None:
    save(**{"model.safetensors": 3})
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}')
    assert contents(tmp_path).notes[0] == 'config.json: architectures ["LlamaForCausalLM"], model_type "llama"'


@pytest.mark.parametrize("content", ["", "[]", '{"a":', "[" * 100_000])
def test_a_damaged_configuration_is_refused(tmp_path: Path, save: Save, content: str) -> None:
    save(**{"model.safetensors": 3})
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CapsauditError, match=r"config\.json: "):
        contents(tmp_path)


def test_a_folder_stands_in_a_file_of_claims(tmp_path: Path, save: Save) -> None:
    save(**{"low.safetensors": 3, "high.safetensors": 5})
    written = tmp_path / "net.claims.toml"
    api.audit_target(str(tmp_path), part="high.safetensors", write_claims=written)
    assert 'part = "high.safetensors"' in written.read_text()
    assert api.audit_target(str(written)).verdict == "agrees"
    save(**{"low.safetensors": 3, "high.safetensors": 4})
    assert api.audit_target(str(written)).verdict == "disagrees"


def test_an_adapter_is_counted_by_itself(tmp_path: Path, save: Save) -> None:
    save(**{"adapter_model.safetensors": 3, "model.safetensors": 5})
    (tmp_path / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "r": 8, "base_model_name_or_path": "org/base"}'
    )
    found = contents(tmp_path)
    assert (count(tmp_path), found.notes[0]) == (3, 'not counted, beside it: "model.safetensors"')
    assert found.notes[1] == (
        'adapter_config.json: an adapter ("LORA", r 8, of "org/base"), counted without the model that it adapts'
    )
