"""Safetensors files by their headers: valid headers are read, and invalid ones are refused."""

import io
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from capsaudit.catalogue import load_variant
from capsaudit.errors import CapsauditError, FileError
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED, TRAINABLE_RECORDED
from capsaudit.inspection.files.safetensors import read, read_header
from capsaudit.train.settings import network_of

WEIGHT = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}  # 2·3 values of 4 bytes
BIAS = {"dtype": "F16", "shape": [2], "data_offsets": [24, 28]}  # 2 values of 2 bytes
LINEAR = {"fc.weight": WEIGHT, "fc.bias": BIAS}


def written(path: Path, header: object, data: int = 28) -> Path:
    """Write a file by hand: `header` as JSON or as raw bytes, then `data` bytes of values."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(data))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


def test_tensors_are_read_in_the_order_of_the_header(file: Path) -> None:
    weight, bias = read_header(written(file, LINEAR))
    assert (weight.name, weight.layer, weight.kind, weight.shape, weight.dtype) == (
        "fc.weight",
        "fc",
        "",
        (2, 3),
        "float32",
    )
    assert (weight.count, weight.bytes, weight.trainable, weight.buffer, weight.counts) == (6, 24, True, False, {})
    assert (bias.count, bias.bytes, bias.dtype) == (2, 4, "float16")


def test_a_scalar_beside_metadata(file: Path) -> None:
    scalar = {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}  # a shape without axes is one value
    (row,) = read_header(written(file, {"__metadata__": {"format": "pt"}, "scale": scalar}, data=8))
    assert (row.name, row.layer, row.count, row.bytes) == ("scale", "", 1, 8)


def test_a_file_may_have_no_tensors(file: Path) -> None:
    assert read_header(written(file, {}, data=0)) == ()


def test_an_empty_tensor_takes_no_bytes(file: Path) -> None:
    empty = {"dtype": "F32", "shape": [0, 4], "data_offsets": [24, 24]}
    rows = read_header(written(file, LINEAR | {"empty": empty}))
    assert [row.count for row in rows] == [6, 2, 0]


@pytest.mark.parametrize(
    ("dtype", "name", "size"),
    [
        ("F64", "float64", 8), ("F32", "float32", 4), ("F16", "float16", 2), ("BF16", "bfloat16", 2),
        ("F8_E4M3", "float8_e4m3fn", 1), ("F8_E5M2", "float8_e5m2", 1), ("F8_E8M0", "float8_e8m0fnu", 1),
        ("F8_E4M3FNUZ", "float8_e4m3fnuz", 1), ("F8_E5M2FNUZ", "float8_e5m2fnuz", 1),
        ("I64", "int64", 8), ("I32", "int32", 4), ("I16", "int16", 2), ("I8", "int8", 1),
        ("U64", "uint64", 8), ("U32", "uint32", 4), ("U16", "uint16", 2), ("U8", "uint8", 1), ("BOOL", "bool", 1),
        ("C64", "complex64", 8),
    ],
)  # fmt: skip
def test_every_dtype_of_torch_is_known(file: Path, dtype: str, name: str, size: int) -> None:
    entry = {"dtype": dtype, "shape": [3], "data_offsets": [0, 3 * size]}
    (row,) = read_header(written(file, {"x": entry}, data=3 * size))
    assert (row.dtype, row.bytes, row.count) == (name, 3 * size, 3)
    assert hasattr(torch, row.dtype)
    assert row.counts == ({"reals": 6} if dtype == "C64" else {})  # a complex value is two reals: 2·3


@pytest.mark.parametrize(("dtype", "count"), [("F4", 6), ("F6_E2M3", 4), ("F6_E3M2", 4)])
def test_values_may_be_smaller_than_a_byte(file: Path, dtype: str, count: int) -> None:
    """6·4 or 4·6 bits are 3 bytes."""
    (row,) = read_header(written(file, {"x": {"dtype": dtype, "shape": [count], "data_offsets": [0, 3]}}, data=3))
    assert (row.count, row.bytes) == (count, 3)


def test_files_of_the_library_are_read(file: Path) -> None:
    shapes = {"a.weight": ((3, 4), np.float32), "a.bias": ((5,), np.int16), "z": ((), np.bool_)}
    arrays: dict[str, Any] = {name: np.zeros(shape, dtype) for name, (shape, dtype) in shapes.items()}
    save_file(arrays, file, metadata={"note": 'ünï\n"quoted"'})
    rows = {row.name: (row.shape, row.dtype, row.bytes) for row in read_header(file)}
    assert rows == {
        "a.weight": ((3, 4), "float32", 48),  # 3·4 values of 4 bytes
        "a.bias": ((5,), "int16", 10),  # 5 values of 2 bytes
        "z": ((), "bool", 1),
    }


def test_the_state_dict_of_a_model_is_read(file: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4))
    save_torch_file(model.state_dict(), file)
    rows = read_header(file)
    assert {row.name: row.shape for row in rows} == {name: tuple(t.shape) for name, t in model.state_dict().items()}
    assert sum(row.count for row in rows if row.trainable) == 48  # conv (1·3·3 + 1)·4 = 40, norm 4 + 4
    assert sum(row.count for row in rows if row.buffer) == 9  # mean 4, variance 4, one counter


def entry(**changes: object) -> dict[str, Any]:
    return {"w": WEIGHT | changes}


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        pytest.param(b"", 0, "its header is not JSON", id="no header"),
        pytest.param(b"{", 0, "its header is not JSON", id="not JSON"),
        pytest.param(b'{"a":NaN}', 0, "its header is not JSON", id="NaN"),
        pytest.param(b'{"\xff":1}', 0, "its header is not UTF-8 (byte 2: invalid start byte)", id="not UTF-8"),
        pytest.param(b"[1, 2]", 0, "its header is [1, 2]; expected a table of tensors", id="a list"),
        pytest.param(b"null", 0, "its header is null; expected a table", id="null"),
        pytest.param(b'{"a":' * 100_000, 0, "its header is nested too deeply", id="nested"),
        pytest.param({"w": 3}, 0, '"w": is 3; expected a table with dtype, shape, data_offsets', id="not a table"),
        pytest.param({"w": {}}, 0, '"w": dtype is missing', id="empty table"),
        pytest.param(entry(dtype=4), 24, '"w": dtype is 4; expected a string', id="dtype is not a string"),
        pytest.param(entry(dtype="F31"), 24, '"w": dtype is "F31"; did you mean', id="unknown dtype"),
        pytest.param(entry(extra="x"), 24, '"w": "extra" is unknown; expected one of: data_offsets', id="unknown field"),
        pytest.param(entry(shape=[-2, -3]), 24, '"w": shape.1 is -2; expected an integer from 0', id="negative size"),
        pytest.param(entry(shape=[2.0, 3]), 24, '"w": shape.1 is 2.0; expected an integer from 0', id="fractional size"),
        pytest.param(entry(shape=["2", 3]), 24, '"w": shape.1 is "2"; expected an integer', id="size as a string"),
        pytest.param(entry(shape=[True]), 24, '"w": shape.1 is true; expected an integer', id="size as a boolean"),
        pytest.param(entry(shape=[2**63]), 24, "expected an integer from 0 and below 2^63", id="larger than any size of torch"),
        pytest.param(entry(shape="2,3"), 24, '"w": shape is "2,3"', id="shape is not a list"),
        pytest.param(entry(shape=[1] * 65, data_offsets=[0, 4]), 4, '"w": shape has 65 axes; expected at most 64', id="too many axes"),
        pytest.param(entry(shape=[2**61]), 24, "has too many bytes for any file", id="4·2^61 bytes"),
        pytest.param(entry(shape=[2**61 - 1]), 24, "has 9,223,372,036,854,775,804 bytes", id="four bytes fewer"),
        pytest.param(entry(shape=[2**62] * 64), 24, "has too many bytes for any file", id="larger than any file"),
        pytest.param(entry(data_offsets=[-24, 0]), 24, '"w": data_offsets.1 is -24', id="negative offset"),
        pytest.param(entry(data_offsets=[24, 0]), 24, "data_offsets 24 to 0 have -24", id="offsets in reverse order"),
        pytest.param(entry(data_offsets=[0]), 24, '"w": data_offsets is [0]; expected two offsets, begin and end', id="one offset"),
        pytest.param(entry(data_offsets=[0, 24, 48]), 24, '"w": data_offsets is [0, 24, 48]', id="three offsets"),
        pytest.param(entry(data_offsets=[0, 23]), 23, "[2, 3] of F32 has 24 bytes; data_offsets 0 to 23 have 23", id="too short"),
        pytest.param({"w": {"dtype": "F4", "shape": [3], "data_offsets": [0, 2]}}, 2, "has 1 bytes and 4 bits", id="half a byte"),
        pytest.param(entry(), 23, "its tensors have 24 bytes, but 23 follow the header", id="data too short"),
        pytest.param(entry(), 25, "its tensors have 24 bytes, but 25 follow the header", id="data too long"),
        pytest.param({}, 1, "its tensors have 0 bytes, but 1 follow the header", id="data without tensors"),
        pytest.param({"a": WEIGHT, "b": WEIGHT}, 24, '"a" and "b" overlap: one ends at 24, the other begins at 0', id="the same bytes"),
        pytest.param({"a": WEIGHT, "b": WEIGHT | {"data_offsets": [20, 44]}}, 44, '"a" and "b" overlap', id="overlap"),
        pytest.param({"a": WEIGHT, "b": WEIGHT | {"data_offsets": [28, 52]}}, 52, "bytes 24 to 28, before \"b\", belong to no tensor", id="gap"),
        pytest.param(entry(data_offsets=[4, 28]), 28, 'bytes 0 to 4, before "w", belong to no tensor', id="gap at the start"),
        pytest.param(b'{"w":%b,"w":%b}' % ((json.dumps(WEIGHT).encode(),) * 2), 24, 'has "w" twice', id="name twice"),
        pytest.param(b'{"w":%b,"\\u0077":%b}' % ((json.dumps(WEIGHT).encode(),) * 2), 24, 'has "w" twice', id="name twice, once escaped"),
        pytest.param(b'{"w":{"dtype":"F64","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4, 'has "dtype" twice', id="dtype twice"),
        pytest.param(b'{"w":{"shape":[7],"dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4, 'has "shape" twice', id="shape twice"),
        pytest.param(b'{"__metadata__":{"a":"1","a":"2"}}', 0, 'has "a" twice', id="metadata twice"),
        pytest.param(b'{"__metadata__":{},"__metadata__":{}}', 0, 'has "__metadata__" twice', id="two tables of metadata"),
        pytest.param({"__metadata__": {"epoch": 3}}, 0, '__metadata__: "epoch" is 3; expected a string', id="metadata: a number"),
        pytest.param({"__metadata__": {"sizes": [3]}}, 0, '__metadata__: "sizes" is [3]; expected a string', id="metadata: a list"),
        pytest.param({"__metadata__": "pt"}, 0, '__metadata__ is "pt"; expected a table of strings', id="metadata: a string"),
        pytest.param({"__metadata__": None}, 0, "__metadata__ is null; expected a table of strings", id="metadata: null"),
    ],
)  # fmt: skip
def test_invalid_headers_are_refused(file: Path, header: object, data: int, message: str) -> None:
    with pytest.raises(CapsauditError) as caught:
        read_header(written(file, header, data))
    assert message in str(caught.value)
    assert all(line.startswith(f"{file}: ") for line in str(caught.value).splitlines())


def test_all_faults_are_reported_at_once(file: Path) -> None:
    header = {"a": WEIGHT | {"dtype": "F31"}, "b\n": WEIGHT | {"data_offsets": [0, 1]}, "c": WEIGHT}
    with pytest.raises(FileError) as caught:
        read_header(written(file, header))
    assert len(caught.value.faults) == 2  # of a and b; c has none by itself
    assert len(str(caught.value).splitlines()) == 2  # the name with a line break is on one line


@pytest.mark.parametrize("count", [19, 20, 21, 1000])
def test_of_many_faults_the_first_twenty_are_reported(file: Path, count: int) -> None:
    with pytest.raises(FileError) as caught:
        read_header(written(file, {str(n): WEIGHT | {"dtype": "F31"} for n in range(count)}))
    faults = [fault.removeprefix(f"{file}: ") for fault in caught.value.faults]
    shown = [f'"{n}"' for n in range(min(count, 20))]
    assert [fault.partition(": ")[0] for fault in faults] == [*shown, *(["and more"] if count > 20 else [])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "has 0 bytes; a safetensors file begins with 8", id="empty"),
        pytest.param(bytes(7), "has 7 bytes; a safetensors file begins with 8", id="seven bytes"),
        pytest.param(
            (10).to_bytes(8, "little") + b"{}", "declares a header of 10 bytes; only 2 follow", id="truncated"
        ),
        pytest.param((2**63).to_bytes(8, "little"), "the format allows 100,000,000", id="huge"),
        pytest.param(b"\xff" * 100, "the format allows 100,000,000", id="another format"),
    ],
)
def test_invalid_lengths_are_refused(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(CapsauditError) as caught:
        read_header(file)
    assert message in str(caught.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CapsauditError, match=r"net\.safetensors: file not found"):
        read_header(tmp_path / "net.safetensors")


class Watched(io.BufferedReader):
    """A stream that records how far it was read."""

    position = 0

    def close(self) -> None:
        self.position = self.position if self.closed else self.tell()
        super().close()


def test_only_the_header_of_a_large_file_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 100 * 10**9
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with file.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(8 + len(header) + size)
    watched = Watched(io.FileIO(file))
    monkeypatch.setattr("capsaudit.inspection.files.safetensors.open_file", lambda _: watched)
    (row,) = read_header(file)
    assert (row.count, watched.position) == (size, 8 + len(header))


def test_a_hundred_thousand_tensors_are_read(file: Path) -> None:
    count = 100_000
    header = {f"layers.{n}.weight": WEIGHT | {"data_offsets": [24 * n, 24 * (n + 1)]} for n in range(count)}
    written(file, header, data=24 * count)
    assert sum(row.count for row in read_header(file)) == 600_000  # 10^5 times 2·3


WEIGHTS = "from capsaudit.inspection.files.weights import contents; read = lambda path: "
IMPORTED = "import sys; print(sorted({'torch', 'numpy'} & sys.modules.keys()))"


@pytest.mark.parametrize(
    ("reading", "imported"),
    [
        pytest.param("from capsaudit.inspection.files.safetensors import read_header as read", "[]", id="a header"),
        pytest.param(WEIGHTS + "contents(path).tensors", "[]", id="a file"),
        pytest.param(WEIGHTS + "contents(path.parent / 'repository').tensors", "[]", id="a folder with an index"),
        pytest.param(
            "from capsaudit.inspection.files.checkpoint import read_checkpoint as read",
            "['numpy', 'torch']",
            id="a checkpoint",
        ),
    ],
)  # fmt: skip
def test_a_header_needs_neither_torch_nor_numpy(tmp_path: Path, reading: str, imported: str) -> None:
    """Reading a checkpoint needs both, which shows that this test can fail."""
    (tmp_path / "repository").mkdir()
    files = {"[]": written(tmp_path / "net.safetensors", LINEAR), "['numpy', 'torch']": tmp_path / "net.pt"}
    torch.save({"fc.weight": torch.zeros(2, 3), "fc.bias": torch.zeros(2)}, tmp_path / "net.pt")
    shard = written(tmp_path / "repository" / "one.safetensors", LINEAR)
    (shard.parent / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict.fromkeys(LINEAR, shard.name)})
    )
    code = f"import sys; from pathlib import Path; {reading}; assert len(read(Path(sys.argv[1]))) == 2; {IMPORTED}"
    run = subprocess.run([sys.executable, "-c", code, str(files[imported])], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == imported


def outcome(path: Path) -> str:
    """`read`, or `refused` with a message."""
    try:
        rows = read_header(path)
    except CapsauditError as error:
        assert str(error).strip()
        return "refused"
    assert all(row.count >= 0 for row in rows)
    return "read"


@given(content=st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random.safetensors"
    path.write_bytes(content)
    assert outcome(path) == "refused" or content[8:9] == b"{"


@given(header=st.binary(max_size=200))
def test_random_headers_are_refused(tmp_path_factory: pytest.TempPathFactory, header: bytes) -> None:
    path = written(tmp_path_factory.getbasetemp() / "header.safetensors", header, data=0)
    assert outcome(path) == "refused" or header[:1] == b"{"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FIELD = st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "more"])
LIKE_ENTRIES = st.dictionaries(FIELD | st.text(max_size=3), JSON | st.just([0, 24]) | st.just("F32"), max_size=4)


@given(header=st.dictionaries(FIELD | st.text(max_size=3), LIKE_ENTRIES | JSON, max_size=4))
def test_headers_of_any_json_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, header: object) -> None:
    path = written(tmp_path_factory.getbasetemp() / "json.safetensors", header, data=24)
    assert outcome(path) in ("read", "refused")


@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), length=st.integers(0, 10_000))
def test_mutated_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, length: int
) -> None:
    path = written(tmp_path_factory.getbasetemp() / "mutated.safetensors", LINEAR | {"__metadata__": {"format": "pt"}})
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(content[: len(content) - length % len(content)] if length % 3 == 0 else content)
    assert outcome(path) in ("read", "refused")


def test_a_huge_header_of_something_else_does_not_become_objects(file: Path) -> None:
    """12 MB of empty lists would take 64 bytes each, and 8 in their list: 290 MB. The file itself is 12 MB of them."""
    header = b'{"w":[' + b"[]," * 4_000_000 + b"[]]}"
    written(file, header, data=0)
    tracemalloc.start()
    try:
        with pytest.raises(FileError) as caught:
            read_header(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    (fault,) = caught.value.faults
    assert fault.startswith(f"{file}: its header: Expected ")
    assert peak < 2 * len(header)


def test_a_network_in_the_metadata_says_what_was_trained(file: Path) -> None:
    network = {"network": json.dumps(network_of(load_variant("frozen-logits").spec))}
    other = WEIGHT | {"data_offsets": [24, 48]}
    header = {"__metadata__": network, "digit_caps.logits": WEIGHT, "other.logits": other}
    contents = read(written(file, header, data=48))[""]
    assert {row.name: row.trainable for row in contents.tensors} == {"digit_caps.logits": False, "other.logits": True}
    assert contents.notes == (TRAINABLE_RECORDED,)


@pytest.mark.parametrize("network", ["", "[]", "[" * 100_000, '{"family": []}', '{"family": "capsnet", "image": 3}'])
def test_metadata_of_others_says_nothing(network: str, file: Path) -> None:
    header = {"__metadata__": {"network": network}, "digit_caps.logits": WEIGHT}
    contents = read(written(file, header, data=24))[""]
    assert contents.tensors[0].trainable
    assert contents.notes == (TRAINABLE_ASSUMED,)
