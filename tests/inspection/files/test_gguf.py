"""GGUF files by their headers, written by hand here, and by the package gguf."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capsaudit import api
from capsaudit.errors import CapsauditError
from capsaudit.inspection.files import gguf as headers
from capsaudit.inspection.files.gguf import BLOCKS, read
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED

Tensor = tuple[str, Sequence[int], int, int]
"""Its name, its dimensions in the order of the file, the number of its block type, and its offset."""

F32, Q4_0, Q4_K = 0, 2, 12
TENSORS: list[Tensor] = [("blk.0.weight", (64, 3), Q4_0, 0), ("norm.weight", (5,), F32, 128)]
"""3·64 values in 6 blocks of 18 bytes, 108 in all, and 5 of 4 bytes at the next multiple of 32."""

STRING, ARRAY, U32, BOOL = 8, 9, 4, 7


def text(content: str, order: str = "<") -> bytes:
    return struct.pack(f"{order}Q", len(content.encode())) + content.encode()


def written(
    path: Path,
    tensors: Sequence[Tensor] = TENSORS,
    metadata: Sequence[bytes] = (),
    *,
    data: int = 148,
    order: str = "<",
    version: int = 3,
    alignment: int = 32,
) -> Path:
    """Write a file by hand. `metadata`: each entry as bytes. `data`: how many bytes of values follow."""
    content = b"GGUF" + struct.pack(f"{order}IQQ", version, len(tensors), len(metadata)) + b"".join(metadata)
    for name, dimensions, block, offset in tensors:
        content += text(name, order) + struct.pack(f"{order}I{len(dimensions)}Q", len(dimensions), *dimensions)
        content += struct.pack(f"{order}IQ", block, offset)
    path.write_bytes(content + bytes(-len(content) % alignment) + bytes(data))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "net.gguf"


@pytest.mark.parametrize(("order", "version"), [("<", 3), ("<", 2), (">", 3)])
def test_values_are_counted_and_not_blocks(file: Path, order: str, version: int) -> None:
    found = read(written(file, order=order, version=version))[""]
    assert [(row.name, row.shape, row.count, row.dtype, row.bytes) for row in found.tensors] == [
        ("blk.0.weight", (3, 64), 192, "q4_0", 108),
        ("norm.weight", (5,), 5, "float32", 20),
    ]
    note = "GGUF, block types and their tensors: Q4_0 (1), F32 (1); values are counted, not blocks"
    assert found.notes == (note, TRAINABLE_ASSUMED)


def test_the_command_audits_it(file: Path) -> None:
    assert api.audit_target(str(written(file))).trainable == 197  # 3·64 + 5


def array(kind: int, length: int, values: bytes) -> bytes:
    return struct.pack("<IIQ", ARRAY, kind, length) + values


def test_metadata_are_passed_over(file: Path) -> None:
    metadata = [
        text("general.architecture") + struct.pack("<I", STRING) + text("llama"),
        text("words") + array(STRING, 2, text("a") + text("bc")),
        text("scores") + array(U32, 3, bytes(12)),
        text("nested") + array(ARRAY, 1, struct.pack("<IQ", BOOL, 2) + bytes(2)),
        text("flag") + struct.pack("<I?", BOOL, True),
    ]
    assert sum(row.count for row in read(written(file, metadata=metadata))[""].tensors) == 197


def test_the_alignment_is_that_of_the_metadata(file: Path) -> None:
    entry = text("general.alignment") + struct.pack("<II", U32, 256)
    tensors = [TENSORS[0], ("norm.weight", (5,), F32, 256)]
    assert len(read(written(file, tensors, [entry], data=276, alignment=256))[""].tensors) == 2
    assert '"norm.weight" begins at 128, no multiple of 256' in refusal(written(file, metadata=[entry], alignment=256))


def test_a_scalar_is_one_value_and_no_tensors_are_none(file: Path) -> None:
    assert [row.count for row in read(written(file, [("scale", (), F32, 0)], data=4))[""].tensors] == [1]
    assert read(written(file, [], data=0))[""].tensors == ()


def refusal(path: Path) -> str:
    with pytest.raises(CapsauditError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("tensors", "data", "message"),
    [
        pytest.param([("w", (2,), 9, 0)], 100, '"w" is of block type 9, whose size is not known', id="block type"),
        pytest.param([("w", (33, 2), Q4_0, 0)], 100, '"w" has rows of 33; expected a multiple of 32 for Q4_0', id="rows"),
        pytest.param([("w", (), Q4_K, 0)], 100, '"w" has rows of 1; expected a multiple of 256 for Q4_K', id="no row"),
        pytest.param([("w", (1,) * 5, F32, 0)], 100, '"w" has 5 axes; expected at most 4', id="axes"),
        pytest.param([("w", (2**63, 2**63), F32, 0)], 100, "bytes, but 100 follow the header", id="huge"),
        pytest.param(TENSORS, 147, "its tensors have 148 bytes, but 147 follow the header", id="truncated"),
        pytest.param([TENSORS[0], ("v", (5,), F32, 96)], 148, "overlap: one ends at 108, the other begins at 96", id="overlap"),
        pytest.param([TENSORS[1], ("norm.weight", (5,), F32, 0)], 148, '"norm.weight" is there twice', id="twice"),
    ],
)  # fmt: skip
def test_invalid_tensors_are_refused(file: Path, tensors: list[Tensor], data: int, message: str) -> None:
    assert message in refusal(written(file, tensors, data=data))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends within its header"),
        (b"GGML" + bytes(20), "begins with b'GGML'"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "has version 1 of the format; versions 2 and 3 are read"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "declares 1,152,921,504,606,846,976 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "metadata values; at most 1,000,000 are read"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**60), "ends within its header"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<I", 13), "of type 13, which is not known"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 9, "nested too deeply"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("a") + struct.pack("<IIQ", 9, 4, 2**62), "ends within its header"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("general.alignment") + struct.pack("<II", 4, 0), "alignment is 0"),
    ],
)  # fmt: skip
def test_invalid_headers_are_refused(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    assert message in refusal(file)


def test_the_header_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "MAX_HEADER_BYTES", 100)
    assert "has a header of more than 100 bytes" in refusal(written(file))


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), length=st.integers(0, 10_000))
def test_mutated_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, length: int
) -> None:
    """A count is never of more values than the file has bytes for: Q1_0, the smallest block, has 128 values in 18 bytes."""
    path = written(tmp_path_factory.getbasetemp() / "mutated.gguf", metadata=[text("n") + struct.pack("<II", U32, 7)])
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(content[: len(content) - length % len(content)] if length % 3 == 0 else content)
    try:
        rows = read(path)[""].tensors
    except CapsauditError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert sum(row.bytes for row in rows) <= 148
        assert sum(row.count for row in rows) <= 148 * 128 // 18


def library() -> Any:
    return pytest.importorskip("gguf", reason="compares with the package gguf, which is not installed")


def test_block_sizes_are_those_of_the_library() -> None:
    constants = library().constants
    sizes = {kind.value: (kind.name, *size) for kind, size in constants.GGML_QUANT_SIZES.items()}
    ours = {number: (block.name, block.values, block.bytes) for number, block in BLOCKS.items()}
    assert {number: sizes[number] for number in ours if number in sizes} == ours
    assert {sizes[number][0] for number in sizes.keys() - ours.keys()} <= {"Q8_1", "Q8_K"}  # never stored


@given(
    shapes=st.lists(st.lists(st.integers(1, 3), max_size=3), min_size=1, max_size=4),
    number=st.sampled_from(sorted(BLOCKS)),
    words=st.lists(st.text(max_size=3), min_size=1, max_size=3),
)
def test_files_of_the_library_are_read_as_it_reads_them(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[list[int]], number: int, words: list[str]
) -> None:
    found = library()
    path = tmp_path_factory.getbasetemp() / "library.gguf"
    writer, kind = found.GGUFWriter(path, "llama"), found.GGMLQuantizationType(number)
    writer.add_array("words", words)
    for position, shape in enumerate(shapes):
        size = int(np.prod(shape)) * BLOCKS[number].bytes
        content = np.zeros(size, "u1").reshape(*shape, BLOCKS[number].bytes)
        writer.add_tensor(f"t{position}", content, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expected = [(t.name, tuple(map(int, t.shape[::-1])), int(t.n_bytes)) for t in found.GGUFReader(path).tensors]
    assert [(row.name, row.shape, row.bytes) for row in read(path)[""].tensors] == expected
