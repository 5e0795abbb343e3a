"""An index of shards: all of them are read, and only what lies beside it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from capsaudit.errors import CapsauditError, FileError
from capsaudit.inspection.files import json_files
from capsaudit.inspection.files.index import read

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
MAP = {"a.weight": FIRST, "a.bias": FIRST, "b.weight": SECOND}


def written(folder: Path, content: object) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_file({"a.weight": torch.zeros(3, 2), "a.bias": torch.zeros(3)}, tmp_path / FIRST)
    save_file({"b.weight": torch.zeros(4, 3)}, tmp_path / SECOND)
    return tmp_path


def test_the_tensors_of_all_shards_are_counted(folder: Path) -> None:
    found = read(written(folder, {"metadata": {"total_size": 84}, "weight_map": MAP}))[""]
    assert {row.name: row.count for row in found.tensors} == {"a.weight": 6, "a.bias": 3, "b.weight": 12}  # 3·2, 3, 4·3
    assert found.notes[0] == "2 shards by model.safetensors.index.json"
    assert len(found.notes) == 2  # that of both shards once


def test_another_size_is_noted(folder: Path) -> None:
    found = read(written(folder, {"metadata": {"total_size": 21}, "weight_map": MAP}))[""]
    assert (
        found.notes[1] == "model.safetensors.index.json states total_size 21; the tensors of its shards have 84 bytes"
    )


def test_shards_may_be_checkpoints(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(2, 3)}, tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save({"v": torch.zeros(5)}, tmp_path / "pytorch_model-00002-of-00002.bin")
    path = tmp_path / "pytorch_model.bin.index.json"
    names = {"w": "pytorch_model-00001-of-00002.bin", "v": "pytorch_model-00002-of-00002.bin"}
    path.write_text(json.dumps({"weight_map": names}))
    assert sum(row.count for row in read(path)[""].tensors) == 11  # 2·3 + 5


def refusal(path: Path) -> str:
    with pytest.raises(CapsauditError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "Input data was truncated", id="empty"),
        pytest.param(b"{}", "missing required field `weight_map`", id="no map"),
        pytest.param(b'{"metadata":' * 100_000, "recursion", id="nested"),
        pytest.param({"weight_map": {"a": 1}}, "Expected `str`, got `int`", id="no name"),
        pytest.param({"weight_map": {"a": "absent.safetensors"}}, "absent.safetensors: file not found", id="absent"),
        pytest.param({"weight_map": {"a": "model.safetensors.index.json"}}, "is an index; expected a shard", id="itself"),
        pytest.param({"weight_map": {"a.weight": FIRST}}, f'"a.bias", which {FIRST} has, is not in the index', id="more"),
        pytest.param({"weight_map": MAP | {"c": SECOND}}, f'"c" is not in {SECOND}', id="fewer"),
        pytest.param({"weight_map": MAP | {"a.bias": SECOND}}, f'"a.bias" is not in {SECOND}', id="elsewhere"),
    ],
)  # fmt: skip
def test_other_indices_are_refused(folder: Path, content: object, message: str) -> None:
    path = written(folder, content)
    assert message in refusal(path)


@pytest.mark.parametrize(
    "name", ["../net.safetensors", "/etc/passwd", "a/b.safetensors", "a\\b.pt", "..", ".", "", "a\0b", "C:x"]
)
def test_only_what_lies_beside_it_is_opened(folder: Path, name: str) -> None:
    (folder / "inner").mkdir()
    save_file({"a": torch.zeros(1)}, folder / "net.safetensors")
    assert "is not the name of a file beside it" in refusal(written(folder / "inner", {"weight_map": {"a": name}}))


def test_a_tensor_of_two_shards_is_refused(folder: Path) -> None:
    save_file({"a.bias": torch.zeros(3)}, folder / SECOND)
    assert f'"a.bias", which {SECOND} has, is not in the index' in refusal(written(folder, {"weight_map": MAP}))


def test_of_many_faults_the_first_are_shown(folder: Path) -> None:
    with pytest.raises(FileError) as caught:
        read(written(folder, {"weight_map": MAP | {str(n): FIRST for n in range(100)}}))
    assert (len(caught.value.faults), caught.value.faults[-1]) == (21, "and more")


def test_large_files_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_files, "LARGEST_JSON_BYTES", 20)
    assert "has more than 20 bytes" in refusal(written(folder, {"weight_map": MAP}))


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_mutated_indices_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    save_file({"a": torch.zeros(3, 2)}, folder / "x.safetensors")
    content = bytearray(json.dumps({"metadata": {"total_size": 24}, "weight_map": {"a": "x.safetensors"}}).encode())
    content[position % len(content)] = byte
    path = written(folder, bytes(content))
    try:
        found: Any = read(path)
    except CapsauditError as error:
        assert str(folder) in str(error)
    else:
        assert sum(row.count for row in found[""].tensors) == 6  # 3·2
