"""HDF5 files as Keras writes them: the datasets of the file itself are counted, and what is not is named."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capsaudit import api
from capsaudit.errors import CapsauditError
from capsaudit.inspection.files import hdf5
from capsaudit.inspection.files.hdf5 import read
from capsaudit.inspection.files.parts import Contents
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED
from tests.processes import invoke


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "net.h5"


def written(path: Path, write: Callable[[Any], None], libver: str = "earliest") -> Contents:
    with h5py.File(path, "w", libver=libver) as made:
        write(made)
    return read(path)[""]


def keras(made: Any) -> None:
    """A convolution and a batch norm, as Keras 2 writes the weights of a model."""
    made.attrs["layer_names"] = [b"conv", b"bn"]
    made["conv/conv/kernel:0"] = np.zeros((3, 3, 2, 4), "f4")
    made["conv/conv/bias:0"] = np.zeros(4, "f4")
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        made[f"bn/bn/{name}:0"] = np.zeros(4, "f4")


def test_the_datasets_of_all_groups_are_counted(file: Path) -> None:
    found = written(file, keras)
    assert {row.name: (row.shape, row.count, row.dtype, row.bytes) for row in found.tensors if "conv" in row.name} == {
        "conv.conv.kernel:0": ((3, 3, 2, 4), 72, "float32", 288),  # 3·3·2·4 values of 4 bytes
        "conv.conv.bias:0": ((4,), 4, "float32", 16),
    }
    assert {row.name for row in found.tensors if row.buffer} == {"bn.bn.moving_mean:0", "bn.bn.moving_variance:0"}
    assert found.notes == (TRAINABLE_ASSUMED,)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_the_command_line_counts_a_group(file: Path, libver: str) -> None:
    written(file, keras, libver)
    run = invoke("audit", str(file), "--part", "conv")
    assert (run.returncode, run.stdout.splitlines()[0]) == (0, f"{file}: 76 trainable")  # 72 + 4
    whole = api.audit_target(str(file))
    assert (whole.trainable, whole.buffers) == (84, 8)  # 76 + gamma and beta; the statistics


PUBLISHED: dict[str, dict[str, tuple[int, ...]]] = {
    "conv2d_4": {"kernel:0": (7, 7, 2, 32), "bias:0": (32,)},
    "conv2d_5": {"kernel:0": (3, 3, 32, 64), "bias:0": (64,)},
    "conv2d_6": {"kernel:0": (3, 3, 64, 64), "bias:0": (64,)},
    "conv2d_7": {"kernel:0": (3, 3, 64, 128), "bias:0": (128,)},
    "conv2d_8": {"kernel:0": (8, 8, 1, 128), "bias:0": (128,)},
    "digit_caps": {"W:0": (5, 16, 8, 16), "b:0": (5, 16, 1)},
    **{f"norm_{n}": {"gamma:0": (width,), "beta:0": (width,)} for n, width in enumerate((32, 64, 64, 128))},
}
"""The shapes of Efficient-CapsNet for smallNORB as its authors published its weights."""


def test_a_published_network_beside_another_one(file: Path) -> None:
    """Stated as 151K. 3,168 + 18,496 + 36,928 + 73,856 + 8,320 + 10,240 + 80, and 2·(32 + 64 + 64 + 128) of the normalisations."""

    def write(made: Any) -> None:
        for layer, tensors in PUBLISHED.items():
            for name, shape in tensors.items():
                made.create_dataset(f"CapsNet/{layer}/{name}", shape, "f4")
        made.create_dataset("Generator/dense/kernel:0", (80, 64), "f4")

    written(file, write)
    claims = file.with_name("net.claims.toml")
    claims.write_text(
        'source = "a README"\ntarget = "net.h5"\npart = "CapsNet"\n[[claims]]\nstated = "151K"\nrounding = "cut"\n'
    )
    found = api.audit_target(str(claims))
    assert (found.trainable, found.verdict) == (151_664, "agrees")


def add_optimiser(made: Any) -> None:
    made["optimizer_weights/Adam/m:0"] = np.zeros(9)


def add_links(made: Any) -> None:
    made["soft"], made["outside"] = h5py.SoftLink("/conv"), h5py.ExternalLink("other.h5", "/w")


def add_virtual(made: Any) -> None:
    layout = h5py.VirtualLayout((5,), "f4", maxshape=(None,))
    layout[: h5py.h5s.UNLIMITED] = h5py.VirtualSource("other.h5", "w", (5,), maxshape=(None,))[: h5py.h5s.UNLIMITED]
    made.create_virtual_dataset("virtual", layout)


def add_others(made: Any) -> None:
    made["names"], made["references"] = [b"a"], np.array([made["conv"].ref], h5py.ref_dtype)
    made["type"], made["none"] = np.dtype("f4"), h5py.Empty("f4")


def add_loop(made: Any) -> None:
    made["conv/loop"] = made["/"]
    made["conv/again"] = made["conv"]


@pytest.mark.parametrize(
    ("add", "named"),
    [
        pytest.param(add_optimiser, ['"optimizer_weights" (the state of an optimiser)'], id="optimiser"),
        pytest.param(add_links, ['"outside" (a link to another place)', '"soft" (a link to another place)'], id="links"),
        pytest.param(add_virtual, ['"virtual" (a virtual dataset, whose values are in other files)'], id="virtual"),
        pytest.param(add_others, [f'"{name}" (no array of numbers)' for name in ("names", "none", "references")], id="no numbers"),
        pytest.param(add_others, ['"type" (a type)'], id="type"),
        pytest.param(add_loop, ['"conv/again" (the same group as "conv")', '"conv/loop" (the same group as "/")'], id="loop"),
    ],
)  # fmt: skip
def test_what_is_not_counted_is_named(file: Path, add: Callable[[Any], None], named: list[str]) -> None:
    with h5py.File(file.with_name("other.h5"), "w") as other:
        other["w"] = np.zeros(1000, "f4")

    def write(made: Any) -> None:
        keras(made)
        add(made)

    found = written(file, write)
    assert sum(row.count for row in found.tensors) == 92  # 72 + 4 + 4·4
    assert all(text in found.notes[0] for text in named), found.notes


def test_a_dataset_under_two_names_counts_once(file: Path) -> None:
    def write(made: Any) -> None:
        keras(made)
        made["tied"] = made["conv/conv/bias:0"]

    (tied,) = (row for row in written(file, write).tensors if row.name == "tied")
    assert (tied.count, tied.bytes, tied.same_as, tied.counts) == (0, 0, "conv.conv.bias:0", {"per name": 4})


def test_complex_and_half_precision(file: Path) -> None:
    found = written(file, lambda made: made.update(a=np.zeros(3, "c8"), b=np.zeros(3, ">f2"), c=np.zeros((), "?")))
    assert [(row.dtype, row.count, row.bytes, row.counts) for row in found.tensors] == [
        ("complex64", 3, 24, {"reals": 6}),
        ("float16", 3, 6, {}),
        ("bool", 1, 1, {}),
    ]


def test_variables_by_number_say_nothing_of_statistics(file: Path) -> None:
    found = written(file, lambda made: made.create_dataset("layers/bn/vars/2", (4,), "f4"))
    assert (found.tensors[0].buffer, "Keras 3 stores variables by number" in found.notes[0]) == (
        False,
        True,
    )


def refusal(path: Path) -> str:
    with pytest.raises(CapsauditError) as caught:
        read(path)
    return str(caught.value)


@pytest.mark.parametrize("missing", [1, 100, 2000])
def test_truncated_files_are_refused(file: Path, missing: int) -> None:
    written(file, keras)
    file.write_bytes(file.read_bytes()[:-missing])
    assert "is no HDF5 file, or is damaged" in refusal(file)


def test_a_shape_that_the_values_do_not_have_is_refused(file: Path) -> None:
    written(file, lambda made: made.create_dataset("w", data=np.zeros((7, 5), "f4")))
    content = file.read_bytes()
    shape = (7).to_bytes(8, "little") + (5).to_bytes(8, "little")
    file.write_bytes(content.replace(shape, (6).to_bytes(8, "little") + shape[8:]))
    assert (
        refusal(file) == f'{file}: "w" has 120 bytes by its shape, and 140 in the file'
    )  # 6·5 and 7·5 values of 4 bytes


def test_two_tensors_of_one_name_are_refused(file: Path) -> None:
    with pytest.raises(CapsauditError, match=r'"a\.b" is there twice'):
        written(file, lambda made: made.update({"a/b": np.zeros(1), "a.b": np.zeros(1)}))


@pytest.mark.parametrize(
    ("bound", "message"), [("DEEPEST_GROUP", "has groups more than 1 deep"), ("LARGEST_LINKS", "has more than 1 links")]
)
def test_what_is_read_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch, bound: str, message: str) -> None:
    written(file, keras)
    monkeypatch.setattr(hdf5, bound, 1)
    assert message in refusal(file)


def test_without_h5py_the_message_says_what_to_install(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(file, keras)
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert refusal(file).endswith("is an HDF5 file, which is read with h5py; install it: pip install 'capsaudit[h5]'")


def content_of(path: Path, libver: str) -> bytes:
    written(path, keras, libver)
    return path.read_bytes()


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(libver=st.sampled_from(["earliest", "latest"]), position=st.integers(0, 100_000), byte=st.integers(0, 255))
def test_mutated_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, libver: str, position: int, byte: int
) -> None:
    """The newer form has checksums. In the older one a byte may take a dataset away, which nothing in the file tells."""
    path = tmp_path_factory.getbasetemp() / "mutated.h5"
    content = bytearray(content_of(path, libver))
    content[position % len(content)] = byte
    path.write_bytes(content)
    try:
        count = sum(row.count for row in read(path)[""].tensors)
    except CapsauditError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert count == 92 if libver == "latest" else count <= 92
