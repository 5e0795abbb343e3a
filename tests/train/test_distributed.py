"""Several processes: shares of a batch, and what is refused. Real processes are in tests/commands/test_train.py."""

import pytest
import torch

from capsaudit.catalogue import load_variant
from capsaudit.data.batches import Batch
from capsaudit.errors import CapsauditError
from capsaudit.models import build
from capsaudit.train.distributed import Processes, processes
from capsaudit.train.losses import Objective


def batch(size: int) -> Batch:
    images = torch.arange(float(size)).view(size, 1, 1, 1)
    return Batch(images, torch.arange(size).unsqueeze(1), images.unsqueeze(1))


def test_shares_are_the_batch() -> None:
    shares = [Processes(rank, 3).share(batch(6)) for rank in range(3)]
    for whole, parts in zip(batch(6), zip(*shares, strict=True), strict=True):
        assert torch.equal(whole, torch.cat(parts))


def test_one_process_is_its_own_mean() -> None:
    alone = Processes()
    assert (alone.mean([1.0, 2.0]), alone.sum([3.0])) == ([1.0, 2.0], [3.0])


def test_batch_normalisation_is_refused_with_the_reason() -> None:
    model = build(load_variant("efficient-capsnet").spec)
    with pytest.raises(CapsauditError, match=r"bn1.* is batch normalisation, whose statistics would be those of each"):
        Processes(0, 2).loss(model, Objective())
    Processes().loss(model, Objective())


def test_a_process_that_is_left_alone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_reduce(_: torch.Tensor) -> None:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr("torch.distributed.all_reduce", all_reduce)
    with pytest.raises(CapsauditError, match="process 1: another process has ended; its message says why"):
        Processes(1, 2).wait()


def test_processes_that_cannot_be_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(CapsauditError, match="2 processes cannot be connected: "), processes("cpu"):
        pass
