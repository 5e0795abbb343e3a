"""Archives that grow: refused by the size that they declare, and read no further than that where they lie."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
import torch

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.archives import LARGEST_COMPRESSED_BYTES, LARGEST_PICKLE_BYTES, pickled
from capsaudit.inspection.files.checkpoint import read_checkpoint


def archive(path: Path, records: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, content in records.items():
            made.writestr(name, content)
    return path


def state_dict() -> bytes:
    """The pickle of one tensor of 6 values."""
    made = io.BytesIO()
    torch.save({"w": torch.zeros(2, 3)}, made)
    with zipfile.ZipFile(made) as written:
        return written.read("archive/data.pkl")


def refusal(path: Path) -> str:
    """The message; torch must not have seen the file."""
    with mock.patch.object(torch, "load") as load, pytest.raises(CapsauditError) as caught:
        read_checkpoint(path)
    load.assert_not_called()
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@contextmanager
def peak_below(limit: int) -> Iterator[None]:
    """What Python allocates within the block stays below this many bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 MB of a compressed pickle that has 2·10^9 bytes. The compressor's blocks are the same one after another, so they are repeated."""
    path = tmp_path_factory.mktemp("bomb") / "net.pt"
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = deflate.compress(bytes(10**6)) + deflate.flush(zlib.Z_FULL_FLUSH)
    content, size = first * 2000 + zlib.compressobj(9, zlib.DEFLATED, -15).flush(), 2000 * 10**6
    name, crc = b"archive/data.pkl", 0
    common = struct.pack("<HHHHHIIIHH", 20, 0, zipfile.ZIP_DEFLATED, 0, 33, crc, len(content), size, len(name), 0)
    entry = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    local = b"PK\3\4" + common + name + content
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    path.write_bytes(local + entry + end)
    return path


def test_a_compressed_pickle_of_gigabytes_is_refused_before_it_is_unpacked(bomb: Path) -> None:
    assert bomb.stat().st_size < 2_500_000
    with zipfile.ZipFile(bomb) as made:
        assert made.getinfo("archive/data.pkl").file_size == 2 * 10**9
    with peak_below(10**6):
        assert "its pickle has 2,000,000,000 bytes; at most 1,000,000 are read of a compressed one" in refusal(bomb)


def test_a_size_that_lies_is_where_reading_stops(bomb: Path, tmp_path: Path) -> None:
    """The directory and the header in front of the record say 1,000 bytes instead of 2·10^9."""
    path = tmp_path / "lies.pt"
    path.write_bytes(bomb.read_bytes().replace(struct.pack("<I", 2 * 10**9), struct.pack("<I", 1000)))
    with peak_below(10**7):  # the compressed bytes, and what they give up to the bound
        assert "is not a torch checkpoint, or is damaged" in refusal(path)  # the checksum is that of other bytes


def test_a_pickle_as_large_as_the_bound_is_read_and_no_larger(tmp_path: Path) -> None:
    name = "archive/data.pkl"
    for size, compression in (
        (LARGEST_COMPRESSED_BYTES, zipfile.ZIP_DEFLATED),
        (LARGEST_PICKLE_BYTES, zipfile.ZIP_STORED),
    ):
        path = archive(tmp_path / "net.pt", {name: bytes(size)}, compression)
        with path.open("rb") as stream:
            assert pickled(stream, path).stream.getbuffer().nbytes >= size
        larger = archive(tmp_path / "net.pt", {name: bytes(size + 1)}, compression)
        assert f"its pickle has {size + 1:,} bytes; at most {size:,} are read" in refusal(larger)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_small_pickle_is_read_compressed_or_not(tmp_path: Path, compression: int) -> None:
    records = {"net/data.pkl": state_dict(), "net/data/0": bytes(24)}  # 2·3 values of 4 bytes
    path = archive(tmp_path / "net.pt", records, compression)
    (row,) = read_checkpoint(path)
    assert (row.name, row.count) == ("w", 6)
    with path.open("rb") as stream:
        assert pickled(stream, path).value_bytes == 24  # of data/0, and none of the pickle


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_cannot_be_read_in_parts_is_refused(tmp_path: Path, compression: int) -> None:
    path = archive(tmp_path / "net.pt", {"net/data.pkl": state_dict()}, compression)
    assert "compressed in a way that torch does not read" in refusal(path)


def test_other_records_are_not_read(tmp_path: Path) -> None:
    """torch itself would read them whole. With a byte order that is not this machine's it would change every value."""
    records = {"net/data.pkl": state_dict(), "net/data/0": bytes(24), "net/byteorder": b"big"}
    records |= {"net/version": bytes(10**7), "net/.storage_alignment": bytes(10**7)}
    path = archive(tmp_path / "net.pt", records, zipfile.ZIP_DEFLATED)
    with path.open("rb") as stream, peak_below(10**6):
        found = pickled(stream, path)
    assert zipfile.ZipFile(found.stream).namelist() == ["archive/data.pkl", "archive/version"]
    assert [row.count for row in read_checkpoint(path)] == [6]


@pytest.mark.parametrize(
    ("names", "count"),
    [(["net/other"], 0), (["a/data.pkl", "b/data.pkl"], 2), (["a/b/data.pkl"], 0), (["data.pkl"], 0)],
)
def test_an_archive_has_one_pickle(tmp_path: Path, names: list[str], count: int) -> None:
    path = archive(tmp_path / "net.pt", dict.fromkeys(names, state_dict()))
    assert f"is an archive with {count} records data.pkl; expected one" in refusal(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as made:
        made.writestr("net/data.pkl", state_dict())
        made.writestr("net/data.pkl", b"other")
    assert "2 records data.pkl" in refusal(tmp_path / "net.pt")


def test_an_archive_of_large_sizes_is_read(tmp_path: Path) -> None:
    """zip64: sizes that would have room for more than four gigabytes."""
    with zipfile.ZipFile(tmp_path / "net.pt", "w") as made:
        for name, content in {"net/data.pkl": state_dict(), "net/data/0": bytes(24)}.items():
            with made.open(name, "w", force_zip64=True) as record:
                record.write(content)
    assert [row.count for row in read_checkpoint(tmp_path / "net.pt")] == [6]


def test_the_older_format_is_read_up_to_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.pt"
    torch.save({f"w{n}": torch.zeros(2) for n in range(100)}, path, _use_new_zipfile_serialization=False)
    assert len(read_checkpoint(path)) == 100
    for module in ("archives", "checkpoint"):
        monkeypatch.setattr(f"capsaudit.inspection.files.{module}.LARGEST_PICKLE_BYTES", 1000)
    with pytest.raises(CapsauditError, match="its pickle has more than 1,000 bytes"):
        read_checkpoint(path)
