"""Values of somebody's tensors: read as data, or refused by name."""

import os
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files import checkpoint
from capsaudit.inspection.files.parts import Contents
from capsaudit.inspection.files.values import read_values

W = torch.arange(6.0).view(2, 3)


class _Runs:
    """Unpickled, it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("how", ["safetensors", "archive", "older format"])
def test_values_in_float32(how: str, dtype: torch.dtype, tmp_path: Path) -> None:
    state, path = (
        {"w": W.to(dtype), "other": torch.zeros(1)},
        tmp_path / ("net.safetensors" if how == "safetensors" else "net.pt"),
    )
    if how == "safetensors":
        save_file(state, path)
    else:
        torch.save({"net": state}, path, _use_new_zipfile_serialization=how == "archive")
    found = read_values(path, ["w"])
    assert found.keys() == {"w"}
    assert found["w"].dtype == torch.float32
    assert torch.equal(found["w"], W)


def test_code_in_a_file_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"w": W, "more": _Runs(tmp_path / "made")}, tmp_path / "net.pt")
    with pytest.raises(CapsauditError, match="loading it would run code, so nothing was loaded"):
        read_values(tmp_path / "net.pt", ["w"])
    monkeypatch.setattr(checkpoint, "checkpoint_contents", lambda _: Contents(()))  # the file is another one by now
    with pytest.raises(CapsauditError, match="loading it would run code, so nothing was loaded"):
        read_values(tmp_path / "net.pt", ["w"])
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.tensor([1, 2]), "w is int64; expected dense floating-point numbers"),
        (torch.eye(2).to_sparse(), "w is sparse; expected dense floating-point numbers"),
        (torch.tensor([1.0, torch.nan]), "w has values that are not finite"),
        (torch.tensor([1e300], dtype=torch.float64), "w has values that are not finite"),
    ],
)
def test_what_are_no_weights(tensor: torch.Tensor, message: str, tmp_path: Path) -> None:
    torch.save({"w": tensor}, tmp_path / "net.pt")
    with pytest.raises(CapsauditError, match=message):
        read_values(tmp_path / "net.pt", ["w"])


def repacked(path: Path, compression: int, byteorder: bytes) -> Path:
    """The same archive with compressed values, or of another machine."""
    with zipfile.ZipFile(path) as old:
        records = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in records.items():
            kept = byteorder if name.endswith("/byteorder") else content
            new.writestr(name, kept, compression if "/data/" in name else zipfile.ZIP_STORED)
    return path


def test_archives_as_torch_does_not_write_them(tmp_path: Path) -> None:
    w = torch.rand(1000)  # compressed it is hardly smaller
    torch.save({"w": w}, tmp_path / "net.pt")
    with pytest.raises(CapsauditError, match=r"its values are compressed; torch\.save compresses none"):
        read_values(repacked(tmp_path / "net.pt", zipfile.ZIP_DEFLATED, b"little"), ["w"])
    with pytest.raises(CapsauditError, match="another byte order than little-endian"):
        read_values(repacked(tmp_path / "net.pt", zipfile.ZIP_STORED, b"big"), ["w"])
    assert torch.equal(read_values(repacked(tmp_path / "net.pt", zipfile.ZIP_STORED, b"little"), ["w"])["w"], w)


def test_a_damaged_archive(tmp_path: Path) -> None:
    """A bit of the values is another one: the archive's own checksum does not fit."""
    torch.save({"w": torch.full((1000,), 1.5)}, tmp_path / "net.pt")
    content = bytearray((tmp_path / "net.pt").read_bytes())
    place = content.index(torch.full((10,), 1.5).numpy().tobytes())
    content[place + 2] ^= 1
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(CapsauditError, match="is not a torch checkpoint, or is damaged"):
        read_values(tmp_path / "net.pt", ["w"])
