"""Which kind a file is of: what is in it decides, not its name."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.read import kind_of, reader
from capsaudit.inspection.files.weights import contents
from capsaudit.inspection.kinds import KINDS


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A file of each kind that its library writes."""
    state = {"fc.weight": torch.zeros(3, 2)}
    save_file(state, tmp_path / "net.safetensors")
    torch.save(state, tmp_path / "zip.pt")
    torch.save(state, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    return {"safetensors": tmp_path / "net.safetensors", "zip": tmp_path / "zip.pt", "legacy": tmp_path / "legacy.pt"}


@pytest.mark.parametrize("name", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".ckpt", ".index.json", ".txt", ""])
def test_what_is_in_a_file_decides(files: dict[str, Path], name: str, suffix: str) -> None:
    renamed = files[name].with_name(f"renamed{suffix}")
    shutil.copy(files[name], renamed)
    assert kind_of(renamed).name == ("safetensors" if name == "safetensors" else "checkpoint")
    assert [(row.name, row.count) for row in contents(renamed).tensors] == [("fc.weight", 6)]  # 3·2


def test_where_it_does_not_tell_the_name_decides(tmp_path: Path) -> None:
    for kind in KINDS:
        for suffix in kind.suffixes:
            path = tmp_path / f"net{suffix.upper()}"
            path.write_bytes(b"\x01 neither")
            assert kind_of(path) == kind


def test_an_index_whose_ninth_byte_is_a_brace_is_an_index(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors.index.json").write_bytes(b'{"a":1, {')
    assert kind_of(tmp_path / "a.safetensors.index.json").name == "index"


@pytest.mark.parametrize("content", [b"", b"text", bytes(100)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.txt").write_bytes(content)
    with pytest.raises(CapsauditError, match=r"net\.txt: is no file of weights; expected one of: \.pt, "):
        contents(tmp_path / "net.txt")


def test_every_kind_has_a_reader(tmp_path: Path) -> None:
    for kind in KINDS:
        path = tmp_path / f"net{kind.suffixes[0]}"
        path.write_bytes(b"\x01 neither")
        with pytest.raises(CapsauditError, match=path.name):
            reader(path)(path)
