"""Data-parallel training by torch's own DistributedDataParallel, one process a share of each batch, as `torchrun` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from capsaudit.data.batches import Batch
from capsaudit.errors import CapsauditError
from capsaudit.models import Network
from capsaudit.train.losses import Objective


class Processes:
    """The processes that train together: how many, and which of them this one is, from 0 on. The first one writes."""

    def __init__(self, rank: int = 0, count: int = 1, device: str = "cpu") -> None:
        self.rank, self.count, self.device = rank, count, device

    def share(self, batch: Batch) -> Batch:
        """This process's images of a batch."""
        size = len(batch.images) // self.count
        return Batch(*(tensor[self.rank * size : (self.rank + 1) * size].to(self.device) for tensor in batch))

    def mean(self, values: Sequence[float]) -> list[float]:
        """The means of what each process has. Every process must call it."""
        return [value / self.count for value in self.sum(values)]

    def sum(self, values: Sequence[float]) -> list[float]:
        """The sums of what each process has. Every process must call it.

        Raises:
            CapsauditError: another process has ended.
        """
        if self.count == 1:
            return list(values)
        gathered = torch.tensor(values, dtype=torch.float64, device=self.device)
        try:
            dist.all_reduce(gathered)
        except RuntimeError as error:
            raise CapsauditError(f"process {self.rank}: another process has ended; its message says why") from error
        return gathered.tolist()

    def wait(self) -> None:
        """Until every process is here."""
        self.sum([0.0])

    def loss(self, model: Network, objective: Objective) -> nn.Module:
        """The loss of a batch as a module; its gradients are the means over the processes.

        Raises:
            CapsauditError: there are several processes, and the network has batch normalisation.
        """
        module = _Loss(model, objective)
        if self.count == 1:
            return module
        if found := [name for name, part in model.named_modules() if isinstance(part, _BatchNorm)]:
            raise CapsauditError(
                f"{found[0]} is batch normalisation, whose statistics would be those of each process's own images; "
                "expected one process for this network"
            )
        return nn.parallel.DistributedDataParallel(module, static_graph=True)  # some settings leave parameters unused


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """The processes that `torchrun` has started, connected as long as the block runs; this one alone without it.

    Raises:
        CapsauditError: they cannot be connected.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(device=device)
        return
    on_gpu = device.startswith("cuda")
    own = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device
    try:
        if on_gpu:
            torch.cuda.set_device(own)
        dist.init_process_group("nccl" if on_gpu else "gloo")
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CapsauditError(f"{count} processes cannot be connected: {reason}") from error
    try:
        yield Processes(dist.get_rank(), count, own)
    finally:
        dist.destroy_process_group()


class _Loss(nn.Module):
    """All that a step computes is in its forward pass: DistributedDataParallel needs to see which parameters it uses."""

    def __init__(self, model: Network, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, images: Tensor, targets: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """The loss and the scores."""
        return self.objective.loss(self.model, Batch(images, targets, wanted))
