"""Buffers that live from one call to the next."""

import threading

import pytest
import torch

from capsaudit.models.kernels.scratch import borrow, release


@pytest.fixture(autouse=True)
def _empty() -> None:
    release()


def test_the_next_caller_of_a_name_gets_the_same_memory() -> None:
    like = torch.zeros(1)
    first = borrow("votes", (2, 3), like)
    assert first.shape == (2, 3)
    assert borrow("votes", (3, 2), like).data_ptr() == first.data_ptr()
    assert borrow("votes", (1, 2), like).data_ptr() == first.data_ptr()


def test_other_names_and_other_types_have_memory_of_their_own() -> None:
    first = borrow("votes", (2, 3), torch.zeros(1))
    assert borrow("sums", (2, 3), torch.zeros(1)).data_ptr() != first.data_ptr()
    double = borrow("votes", (2, 3), torch.zeros(1, dtype=torch.float64))
    assert double.dtype == torch.float64
    assert double.data_ptr() != first.data_ptr()


def test_a_larger_buffer_replaces_a_smaller_one() -> None:
    like = torch.zeros(1)
    small = borrow("votes", (2,), like)
    large = borrow("votes", (1000,), like)
    assert large.shape == (1000,)
    small.fill_(1)  # still its own memory
    assert borrow("votes", (2,), like).data_ptr() == large.data_ptr()


def test_buffers_are_given_back() -> None:
    like = torch.zeros(1)
    borrow("votes", (1000,), like)
    release()
    assert borrow("votes", (2,), like).untyped_storage().nbytes() == 2 * like.element_size()


def test_threads_do_not_share_buffers() -> None:
    like = torch.zeros(1)
    mine, theirs = borrow("votes", (4,), like), []
    thread = threading.Thread(target=lambda: theirs.append(borrow("votes", (4,), like)))
    thread.start()
    thread.join()
    assert theirs[0].data_ptr() != mine.data_ptr()
