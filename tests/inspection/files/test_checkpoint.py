"""Checkpoints of torch: the tensors of a state dict, in both formats, and that no code of a pickle is run."""

import argparse
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from capsaudit.errors import CapsauditError, FileError
from capsaudit.inspection.files.checkpoint import checkpoint_contents, is_countable, read, read_checkpoint
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED
from capsaudit.inspection.files.weights import contents
from capsaudit.inventory import InventoryTensor

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch calls its sparse tensors a beta


@pytest.fixture(params=["zip", "legacy"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Save something as torch does now, and as it did before version 1.6."""

    def save(content: object, name: str = "net.pt") -> Path:
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=request.param == "zip")
        return tmp_path / name

    return save


def rows(path: Path) -> dict[str, InventoryTensor]:
    return {row.name: row for row in read_checkpoint(path)}


def refusal(path: Path) -> str:
    with pytest.raises(CapsauditError) as caught:
        read_checkpoint(path)
    assert all(fault.startswith(f"{path}: ") for fault in caught.value.faults)
    return str(caught.value)


def test_a_state_dict_is_read(saved: Any) -> None:
    model = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 4, 3), norm=nn.BatchNorm2d(4)))
    found = rows(saved(model.state_dict()))
    weight = found["conv.weight"]
    assert (weight.layer, weight.kind, weight.shape, weight.dtype) == ("conv", "", (4, 1, 3, 3), "float32")
    assert (weight.count, weight.bytes) == (36, 144)  # 4·1·3·3 values of 4 bytes
    assert sum(row.count for row in found.values() if row.trainable) == 48  # conv 36 + 4, norm 4 + 4
    assert sum(row.count for row in found.values() if row.buffer) == 9  # mean 4, variance 4, one counter
    assert found["norm.num_batches_tracked"].dtype == "int64"


def test_names_of_a_parallel_model_are_kept(saved: Any) -> None:
    (row,) = read_checkpoint(saved({"module.fc.weight": torch.zeros(2, 3)}))
    assert (row.name, row.layer) == ("module.fc.weight", "module.fc")


def test_it_is_noted_that_trainable_is_assumed(saved: Any) -> None:
    assert checkpoint_contents(saved({"w": torch.zeros(2)})).notes == (TRAINABLE_ASSUMED,)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "net"])
def test_a_state_dict_beside_other_values_is_found(saved: Any, key: str) -> None:
    found = checkpoint_contents(saved({"epoch": 3, key: {"w": torch.zeros(2, 3)}, "optimizer": {"state": {}}}))
    assert [(row.name, row.count) for row in found.tensors] == [("w", 6)]  # 2·3
    note = f'the state dict is at "{key}" in the file; not counted: "epoch" (3), "optimizer" (a dict of length 1)'
    assert found.notes == (note, TRAINABLE_ASSUMED)


def test_a_state_dict_two_levels_down_is_found(saved: Any) -> None:
    inner = {"state_dict": {"w": torch.zeros(2)}, "name": "net"}
    found = checkpoint_contents(saved({"model": inner, "loss": torch.zeros(())}))
    assert [row.name for row in found.tensors] == ["w"]
    assert found.notes[0] == (
        'the state dict is at "model.state_dict" in the file; not counted: "loss" (a tensor), "model.name" ("net")'
    )


NAMES = ("state_dict", "model", "model_ema", "params_ema", "student", "teacher", "generator", "module", "anything")


@pytest.mark.parametrize("name", NAMES)
def test_a_network_at_any_key_is_found(saved: Any, name: str) -> None:
    path = saved({name: {"w": torch.zeros(2, 3)}, "other": {"v": torch.zeros(2)}, "step": 3})
    assert {key: [row.count for row in found.tensors] for key, found in read(path).items()} == {name: [6], "other": [2]}
    assert contents(path, name).notes[1] == f'the state dict is at "{name}" in the file; not counted: "step" (3)'


def test_of_several_networks_one_has_to_be_chosen(saved: Any) -> None:
    path = saved({"net": {"a": torch.zeros(2)}, "state_dict": {"b": torch.zeros(3)}})
    assert refusal(path).splitlines() == [
        f"{path}: contains 2 networks; choose one with --part",
        "--part net (2 values)",
        "--part state_dict (3 values)",
    ]


@pytest.mark.parametrize("key", ["optimizer", "optimizer_states", "lr_schedulers", "rng_state", "scaler", "callbacks"])
def test_the_state_of_a_run_is_no_network(saved: Any, key: str) -> None:
    (found,) = read(saved({"model": {"w": torch.zeros(2)}, key: {"exp_avg": torch.zeros(7)}}))
    assert found == "model"


def test_a_lightning_checkpoint_is_read(saved: Any) -> None:
    """The keys that Lightning 2 writes."""
    content = {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": {"model.fc.weight": torch.zeros(2, 3)},
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.zeros(())}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2, 3)}}, "param_groups": []}],
        "lr_schedulers": [],
    }
    (row,) = read_checkpoint(saved(content, "last.ckpt"))
    assert (row.name, row.count) == ("model.fc.weight", 6)  # 2·3


def test_an_average_of_weights_is_a_copy(saved: Any) -> None:
    weights = {"w": torch.zeros(2, 3)}
    found = checkpoint_contents(saved({"model": weights, "model_ema": {"w": torch.ones(2, 3)}}))
    assert sum(row.count for row in found.tensors) == 6  # 2·3
    assert found.notes[0] == 'counted is the network "model"; --part chooses another one: "model_ema" (6 values)'


def test_the_same_dict_at_many_places_is_read_once(saved: Any) -> None:
    """Following each of 30 references 30 times, and again, would be 30^4 visits of the last dict."""
    inner: dict[str, Any] = {"w": torch.zeros(2), "step": 1}
    for _ in range(4):
        inner = {str(n): inner for n in range(30)}
    assert "a state dict maps names to tensors" in refusal(saved(inner))


def test_a_layer_may_be_called_model(saved: Any) -> None:
    assert [row.name for row in read_checkpoint(saved({"model": torch.zeros(2), "net": torch.zeros(3)}))] == [
        "model",
        "net",
    ]


def test_a_dict_that_contains_itself_ends(saved: Any) -> None:
    endless: dict[str, Any] = {}
    endless["model"] = endless
    assert "a state dict maps names to tensors" in refusal(saved(endless))


def test_extra_state_is_left_out_with_a_note(saved: Any) -> None:
    found = checkpoint_contents(saved({"w": torch.zeros(2), "norm._extra_state": {"steps": 4}}))
    assert [row.name for row in found.tensors] == ["w"]
    assert found.notes[0] == '"norm._extra_state" is not a tensor and is not counted'


def test_values_that_are_not_tensors_are_named(saved: Any) -> None:
    content = {"w": torch.zeros(2), "epoch": 3, "name": "net", 4: torch.zeros(2), "table": {"a": 1}}
    assert [line.partition(".pt: ")[2] for line in refusal(saved(content)).splitlines()] == [
        '"epoch" is 3; a state dict maps names to tensors',
        '"name" is "net"; a state dict maps names to tensors',
        "4 is a tensor; a state dict maps names to tensors",
        '"table" is a dict of length 1; a state dict maps names to tensors',
        "expected a state dict at the top level or under a key, such as state_dict, model or model_ema",
    ]


def test_of_many_other_values_the_first_are_named(saved: Any) -> None:
    with pytest.raises(FileError) as caught:
        read_checkpoint(saved({str(n): n for n in range(100)}))
    assert len(caught.value.faults) == 7  # five, how many more, and where a state dict is expected
    assert "95 more entries are not tensors with a name" in caught.value.faults[5]  # 100 − 5


@pytest.mark.parametrize("content", [torch.zeros(3), [torch.zeros(3)], 3], ids=["tensor", "list", "number"])
def test_other_values_are_refused(saved: Any, content: object) -> None:
    assert "expected a state dict; save model.state_dict()" in refusal(saved(content))


def test_nested_tensors_are_refused(tmp_path: Path) -> None:
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    torch.save({"w": nested}, tmp_path / "net.pt")
    assert is_countable(torch.zeros(2))
    assert not is_countable(nested)
    refusal(tmp_path / "net.pt")  # their sizes are values, which are not read


def test_a_tensor_under_two_names_counts_once(saved: Any) -> None:
    shared = torch.zeros(5, 4)
    found = rows(saved({"encoder.weight": shared, "decoder.weight": shared}))
    first, second = found["encoder.weight"], found["decoder.weight"]
    assert (first.count, first.bytes, first.same_as, first.counts) == (20, 80, None, {})  # 5·4 values of 4 bytes
    assert (second.count, second.bytes, second.same_as) == (0, 0, "encoder.weight")
    assert second.counts == {"per name": 20}


def test_equal_tensors_are_not_the_same(saved: Any) -> None:
    found = rows(saved({"a": torch.zeros(5), "b": torch.zeros(5), "c": torch.zeros(0), "d": torch.zeros(0)}))
    assert [(row.count, row.same_as) for row in found.values()] == [(5, None), (5, None), (0, None), (0, None)]


def test_views_count_once_by_storage(saved: Any) -> None:
    flat = torch.zeros(4, 6)
    found = rows(saved({"flat": flat, "turned": flat.t(), "rows": flat[1:3], "column": flat[:, 2]}))
    assert [row.count for row in found.values()] == [24, 24, 12, 4]  # 4·6, 6·4, 2·6, 4
    assert [row.by("storage") for row in found.values()] == [24, 0, 0, 0]
    assert [row.bytes for row in found.values()] == [96, 0, 0, 0]  # 24 values of 4 bytes
    assert all(row.same_as is None for row in found.values())


def test_a_square_and_its_transpose_are_two_views(saved: Any) -> None:
    square = torch.zeros(3, 3)
    first, second = read_checkpoint(saved({"square": square, "turned": square.t()}))
    assert (first.count, second.count, second.same_as, second.by("storage")) == (9, 9, None, 0)  # 3·3


def test_views_that_overlap_in_part_share_their_memory(saved: Any) -> None:
    flat = torch.zeros(10)
    found = rows(saved({"head": flat[:6], "tail": flat[4:], "odd": flat[1::2]}))
    assert [row.count for row in found.values()] == [6, 6, 5]
    assert sum(row.by("storage") for row in found.values()) == 10  # head and tail cover all ten, odd adds none


def test_an_expanded_tensor_is_smaller_than_its_shape(saved: Any) -> None:
    (row,) = read_checkpoint(saved({"bias": torch.zeros(3, 1).expand(3, 7)}))
    assert (row.count, row.by("storage"), row.bytes) == (21, 3, 12)  # 3·7 by shape; 3 values of 4 bytes are kept


def test_complex_and_sparse_tensors_are_counted(saved: Any) -> None:
    sparse = torch.sparse_coo_tensor(torch.tensor([[0, 1], [1, 2]]), torch.tensor([1.0, 2.0]), (3, 3))
    found = rows(
        saved(
            {"z": torch.zeros(3, dtype=torch.complex64), "coo": sparse, "csr": sparse.to_sparse_csr(), "again": sparse}
        )
    )
    assert (found["z"].count, found["z"].by("reals"), found["z"].bytes) == (3, 6, 24)  # 2·3 reals of 4 bytes
    assert (found["coo"].count, found["coo"].by("storage")) == (9, 2)  # 3·3 by shape, two entries
    assert found["coo"].bytes == 40  # two values of 4 bytes, 2·2 indices of 8
    assert (found["csr"].by("storage"), found["csr"].bytes) == (2, 56)  # values 2·4, columns 2·8, row ends (3 + 1)·8
    assert found["again"].same_as == "coo"


def test_tensors_on_device_meta_are_counted(saved: Any) -> None:
    (row,) = read_checkpoint(saved({"w": torch.zeros(2, 3, device="meta")}))
    assert row.count == 6  # 2·3


class Malicious:
    """Unpickling one creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_no_code_is_run(saved: Any, tmp_path: Path) -> None:
    path = saved({"w": torch.zeros(2), "malicious": Malicious(tmp_path / "created")})
    reported = refusal(path)
    assert (
        "net.pt: contains more than tensors (posix.mkdir); loading it would run code, so nothing was loaded" in reported
    )
    assert reported.endswith("save model.state_dict() and audit that")
    assert not (tmp_path / "created").exists()
    torch.load(path, weights_only=False)
    assert (tmp_path / "created").exists()  # this test can fail


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_code_of_a_bare_pickle_is_run(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "net.pt").write_bytes(pickle.dumps(Malicious(tmp_path / "created"), protocol))
    assert len(refusal(tmp_path / "net.pt").splitlines()) == 1
    assert not (tmp_path / "created").exists()


def test_the_environment_cannot_enable_code(saved: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    refusal(saved(Malicious(tmp_path / "created")))
    assert not (tmp_path / "created").exists()


def test_a_whole_model_is_refused(saved: Any) -> None:
    assert "contains more than tensors (torch.nn.modules.linear.Linear)" in refusal(saved(nn.Linear(2, 3)))


def test_an_object_beside_a_state_dict_is_refused(saved: Any) -> None:
    content = {"args": argparse.Namespace(rate=1), "state_dict": {"w": torch.zeros(2)}}
    assert "contains more than tensors (argparse.Namespace)" in refusal(saved(content))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_model_is_refused(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 3)).save(tmp_path / "net.pt")
    assert "is a TorchScript archive, which contains code" in refusal(tmp_path / "net.pt")


def test_a_large_file_needs_no_memory(saved: Any, tmp_path: Path) -> None:
    before = peak_kilobytes()
    path = saved({"w": torch.zeros(1)}) and big(tmp_path / "big.pt")
    assert path.stat().st_size > 8 * 10**9
    assert sum(row.count for row in read_checkpoint(path)) == 2 * 10**9  # two of 10^9
    assert peak_kilobytes() - before < 200_000  # the values need eight million


def big(path: Path) -> Path:
    """Two tensors of 10^9 values of 4 bytes each, in a sparse file."""
    with torch.serialization.skip_data():
        torch.save({name: torch.empty(10**9) for name in ("a", "b")}, path)
    return path


def peak_kilobytes() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


@pytest.mark.parametrize("missing", [1, 8, 100, 1000])
def test_truncated_files_are_refused(saved: Any, missing: int) -> None:
    path = saved({"w": torch.zeros(500), "b": torch.zeros(500)})
    path.write_bytes(path.read_bytes()[:-missing])
    reported = refusal(path)
    assert "truncated" in reported or "damaged" in reported
    assert len(reported.splitlines()) == 1


def test_an_archive_without_its_values_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(500)}, tmp_path / "net.pt")
    with zipfile.ZipFile(tmp_path / "net.pt") as whole, zipfile.ZipFile(tmp_path / "lost.pt", "w") as lost:
        for name in whole.namelist():
            if not name.endswith("data/0"):
                lost.writestr(name, whole.read(name))
    expected = "its tensors need 2,000 bytes, but the file has 0 for them"  # 500 values of 4 bytes
    assert expected in refusal(tmp_path / "lost.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "is empty; expected a checkpoint written by torch.save", id="empty"),
        pytest.param(b"hello", "is not a torch checkpoint, or is damaged", id="text"),
        pytest.param(b"PK\3\4", "is not a torch checkpoint, or is damaged", id="the beginning of an archive"),
        pytest.param(bytes(1000), "is not a torch checkpoint, or is damaged", id="zeros"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "net.pt").write_bytes(content)
    assert message in refusal(tmp_path / "net.pt")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    assert "file not found" in refusal(tmp_path / "net.pt")


def test_the_error_of_torch_is_the_cause(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"hello")
    with pytest.raises(CapsauditError) as caught:
        read_checkpoint(tmp_path / "net.pt")
    assert caught.value.__cause__ is not None


def content_of(legacy: bool) -> bytes:
    with io.BytesIO() as made:
        state = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict()
        torch.save({"epoch": 3, "model": state}, made, _use_new_zipfile_serialization=not legacy)
        return made.getvalue()


WHOLE = {legacy: content_of(legacy) for legacy in (False, True)}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(legacy=st.booleans(), position=st.integers(0, 100_000), byte=st.integers(0, 255))
def test_mutated_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, legacy: bool, position: int, byte: int
) -> None:
    content = bytearray(WHOLE[legacy])
    content[position % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "mutated.pt"
    path.write_bytes(content)
    try:
        assert all(row.count >= 0 for row in read_checkpoint(path))
    except CapsauditError as error:
        assert str(error).startswith(f"{path}: ")


@settings(deadline=None)
@given(content=st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random.pt"
    path.write_bytes(content)
    refusal(path)
