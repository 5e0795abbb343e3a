"""IDX files: what they hold, and one clear message for each way in which they are damaged."""

import gzip
import tracemalloc
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from capsaudit.data import idx
from capsaudit.data.idx import read_idx, unpacked
from capsaudit.errors import DataError
from tests.data.idx_files import idx_bytes


@pytest.mark.parametrize("packed", [False, True])
def test_a_tensor_is_read_as_it_was_written(tmp_path: Path, packed: bool) -> None:
    images = torch.arange(2 * 3 * 4, dtype=torch.uint8).view(2, 3, 4)
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(idx_bytes(images)) if packed else idx_bytes(images))
    assert torch.equal(read_idx(path, axes=3), images)


def test_sizes_are_big_endian(tmp_path: Path) -> None:
    """258 = 1·256 + 2."""
    path = tmp_path / "labels"
    path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 1, 2]) + bytes(258))
    assert read_idx(path, axes=1).shape == (258,)


@pytest.mark.parametrize(
    ("content", "axes", "message"),
    [
        pytest.param(b"", 3, "is no IDX file of unsigned bytes", id="empty"),
        pytest.param(b"\0\0\x08", 3, "is no IDX file of unsigned bytes", id="too short"),
        pytest.param(b"\x01\0\x08\x01" + bytes(4), 1, "is no IDX file of unsigned bytes", id="no magic"),
        pytest.param(bytes([0, 0, 13, 1]) + bytes(4), 1, "is no IDX file of unsigned bytes", id="floats"),
        pytest.param(bytes([0, 0, 8, 1]) + bytes(4), 3, "contains labels; expected images. Are two files swapped?", id="swapped"),
        pytest.param(bytes([0, 0, 8, 2]) + bytes(8), 3, "contains 2 axes; expected images", id="matrix"),
        pytest.param(bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), 1, "declares 3 bytes after its header and has 2", id="cut"),
        pytest.param(bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), 1, "declares 1 bytes after its header and has 2", id="too long"),
        pytest.param(bytes([0, 0, 8, 3, 0, 0]), 3, "declares 0×0×0 bytes after its header and has 0", id="half a header"),
        pytest.param(bytes([0, 0, 8, 1]) + bytes(4), 1, "is empty: it contains no labels", id="no labels"),
        pytest.param(gzip.compress(b"x" * 1000)[:-9], 1, "is a damaged archive", id="cut archive"),
    ],
)  # fmt: skip
def test_damage_is_one_message_with_the_path(tmp_path: Path, content: bytes, axes: int, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path, axes=axes)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        unpacked(tmp_path / "absent")
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        unpacked(tmp_path)


def test_an_archive_that_unpacks_to_more_than_any_data_set_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idx, "LARGEST_BYTES", 1000)
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes(1001)))
    with pytest.raises(DataError, match=r"is larger than 1,000 bytes unpacked"):
        unpacked(path)
    path.write_bytes(gzip.compress(bytes(1000)))
    assert len(unpacked(path)) == 1000


def test_an_archive_is_unpacked_no_further_than_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "LARGEST_BYTES", 1000)
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes(10**8)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="is larger than"):
            unpacked(path)
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=40), st.integers(1, 3))
def test_any_bytes_are_a_tensor_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, axes: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(content)
    try:
        assert read_idx(path, axes=axes).dim() == axes
    except DataError as error:
        assert str(path) in str(error)
