"""Memory of live tensors: every byte is attributed once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from capsaudit.inspection import memory
from capsaudit.inspection.memory import OwnMemory, dense_parts, own_memory

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch calls some sparse layouts a beta


def values(*tensors: torch.Tensor) -> list[int]:
    return [own.values for own in own_memory(tensors)]


def test_a_tensor_of_its_own_has_all_its_values() -> None:
    # 2·3 values of 4 bytes, 5 of 2 bytes, one of 8
    tensors = [torch.zeros(2, 3), torch.zeros(5, dtype=torch.float16), torch.zeros((), dtype=torch.int64)]
    assert own_memory(tensors) == [OwnMemory(6, 24), OwnMemory(5, 10), OwnMemory(1, 8)]


def test_the_same_memory_is_attributed_to_the_first_tensor() -> None:
    flat = torch.zeros(4, 6)
    assert values(flat, flat.t(), flat[1:3], flat[:, 2]) == [24, 0, 0, 0]  # 4·6


def test_views_that_overlap_in_part_share_their_values() -> None:
    flat = torch.zeros(10)
    assert values(flat[:6], flat[4:]) == [6, 4]  # [0, 6) and [4, 10), which overlap in two
    assert sum(values(flat[4:], flat[:6])) == 10  # in any order


def test_interleaved_views_do_not_overlap() -> None:
    whole = torch.ones(4, 6)
    assert values(whole[:, ::2], whole[:, 1::2]) == [12, 12]  # three of six columns of 4 each
    assert sum(values(whole[:, ::2], whole[:, 1::2], whole[:, :2])) == 24  # the first two columns are in the others


def test_an_expanded_tensor_stores_one_value() -> None:
    assert own_memory([torch.ones(1).expand(10, 20)]) == [OwnMemory(1, 4)]


def test_an_empty_tensor_stores_nothing() -> None:
    assert own_memory([torch.ones(0, 3)]) == [OwnMemory(0, 0)]


def test_sparse_tensors_store_entries_and_indices() -> None:
    eye = torch.eye(4)
    assert own_memory([eye.to_sparse()]) == [OwnMemory(4, 80)]  # 4 values of 4 bytes, 2·4 indices of 8
    assert own_memory([eye.to_sparse_csr()]) == [OwnMemory(4, 88)]  # 4·4, 4 columns and 4 + 1 row ends of 8
    assert own_memory([eye.to_sparse_csc()]) == [OwnMemory(4, 88)]
    assert [len(dense_parts(one)) for one in (eye, eye.to_sparse(), eye.to_sparse_csr())] == [1, 2, 3]


def test_views_on_device_meta_share_their_storage() -> None:
    whole, other = torch.empty(10, device="meta"), torch.empty(10, device="meta")
    assert values(whole[:6], whole[4:], other) == [6, 4, 10]


def test_two_storages_of_the_same_memory_overlap() -> None:
    buffer = bytearray(40)
    assert values(torch.frombuffer(buffer, dtype=torch.float32), torch.frombuffer(buffer, dtype=torch.float32)) == [
        10,
        0,
    ]


def test_a_tensor_in_too_many_runs_is_assumed_not_to_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    column = torch.zeros(5, 2)[:, 0]  # five runs of one value
    assert values(column, column) == [5, 0]
    monkeypatch.setattr(memory, "MAX_RUNS", 4)
    assert values(column, column) == [5, 5]


SLICES = st.builds(slice, st.integers(0, 5), st.integers(0, 6), st.integers(1, 3))


@given(st.lists(st.tuples(SLICES, SLICES), max_size=5))
def test_the_values_of_any_views_add_up_to_the_elements_that_they_cover(slices: list[tuple[slice, slice]]) -> None:
    whole, covered = torch.zeros(6, 6), torch.zeros(6, 6, dtype=torch.bool)
    for rows, columns in slices:
        covered[rows, columns] = True
    assert sum(values(*(whole[rows, columns] for rows, columns in slices))) == int(covered.sum())
