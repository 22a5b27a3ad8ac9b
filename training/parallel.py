"""Several processes that train one model, under `torchrun`: data-parallel, and equal to one.

Every process has the whole data, draws the same batches and computes its rows of each; gradients
are added up, so that a step is that of one process with the whole batch. What draws random numbers
inside a recommender (dropout, masks, facts) draws others on each process, as other rows would.
The first process alone revives codes, writes and registers.

PyTorch's own DistributedDataParallel would do for dense tables; it takes neither row-sparse
gradients, but of `nn.Embedding`, nor tables that are sharded (`training.sharding`).
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from cove.batches import Part
from cove.objective import Losses, PartLosses
from training.errors import TrainingError

_PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: the first may be measuring or writing."""
_ELSEWHERE = 0x9E3779B97F4A7C15
"""What seeds of processes lie apart."""
T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together; by itself it is alone."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Among those of this machine: the number of its GPU."""

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and registers."""
        return self.rank == 0

    @property
    def part(self) -> Part:
        """The part of each batch that this process computes."""
        return Part(self.rank, self.size)

    def agree(self, value: T) -> T:
        """What the first process holds, on all."""
        if self.size == 1:
            return value
        box = [value]
        with others_alive():
            dist.broadcast_object_list(box, src=0)
        return box[0]

    def equalise(self, tensors: Iterable[Tensor]) -> None:
        """Give what the first process has in these tensors to all."""
        if self.size == 1:
            return
        with others_alive():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def batches(self, batches: Iterable[T]) -> Iterator[T]:
        """The same batches, which all draw alike; then random numbers of its own."""
        for number, batch in enumerate(batches):
            if number == 0 and self.rank:
                torch.manual_seed((torch.initial_seed() + self.rank * _ELSEWHERE) % (1 << 63))
            yield batch

    def scaled(self, found: PartLosses) -> Losses:
        """The summands of the batch's losses, of which all processes' together are the batch's."""
        losses = found.losses
        if self.size == 1:
            return losses
        total = losses.recommendation.new_full((), float(found.terms))
        self._add_up(total)
        share = found.terms / total.clamp(min=1)
        return Losses(
            losses.recommendation * share, losses.quantization, losses.code_prediction * share
        )

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in the place of `values`."""
        if self.size > 1:
            self._add_up(values)
        return values

    def exchange(self, rows: Tensor, sent: list[int], received: list[int]) -> Tensor:
        """Send `sent[p]` of the rows to each process p, one's after another's, and give what comes,
        `received[p]` of each, likewise. Gradients go the way back."""
        found: Tensor = _Exchange.apply(rows, sent, received)  # type: ignore[no-untyped-call]
        return found

    def exchange_evenly(self, values: Tensor) -> Tensor:
        """Send one of [size] values to each process, and give what comes, [size]."""
        return _exchanged(values, [1] * self.size, [1] * self.size)

    def sum_gradients(self, dense: list[Tensor], sparse: list[Tensor]) -> None:
        """Add up the gradients of parameters in place: dense ones, which travel as one tensor, and
        row-sparse ones, of which only the looked-up rows do."""
        if self.size == 1:
            return
        for parameter in sparse:
            if parameter.grad is not None:
                parameter.grad = self._sum_rows(parameter.grad.coalesce())
        gradients = [each.grad for each in dense if each.grad is not None]
        if not gradients:
            return
        flat = torch.cat([each.flatten() for each in gradients])
        self._add_up(flat)
        parts = flat.split([each.numel() for each in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _add_up(self, values: Tensor) -> None:
        with others_alive():
            dist.all_reduce(values)

    def _sum_rows(self, gradient: Tensor) -> Tensor:
        """The sum of coalesced row-sparse gradients: all rows of all processes, one after another.

        Shorter ones are filled up with zeros of row 0, for what travels must be of one size.
        """
        rows, values = gradient.indices()[0], gradient.values()
        most = rows.new_tensor(len(rows))
        with others_alive():
            dist.all_reduce(most, dist.ReduceOp.MAX)
            length = int(most)
            own_rows, own_values = rows.new_zeros(length), values.new_zeros(length, values.shape[1])
            own_rows[: len(rows)], own_values[: len(rows)] = rows, values
            all_rows = rows.new_empty(self.size * length)
            all_values = values.new_empty(self.size * length, values.shape[1])
            dist.all_gather_into_tensor(all_rows, own_rows)
            dist.all_gather_into_tensor(all_values, own_values)
        whole = torch.sparse_coo_tensor(all_rows[None], all_values, gradient.shape)
        return whole.coalesce()


ALONE = Processes()


class _Exchange(torch.autograd.Function):
    """Rows to where they are asked for, their gradients back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sent: list[int], received: list[int]) -> Tensor:
        ctx.sizes = sent, received
        return _exchanged(rows, sent, received)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        sent, received = ctx.sizes
        return _exchanged(upstream[0].contiguous(), received, sent), None, None


def _exchanged(rows: Tensor, sent: list[int], received: list[int]) -> Tensor:
    found = rows.new_empty(sum(received), *rows.shape[1:])
    with others_alive():
        dist.all_to_all_single(found, rows, received, sent)
    return found


@contextmanager
def others_alive() -> Iterator[None]:
    """Say in one sentence that the others are gone, where processes talk.

    Raises:
        TrainingError: a process of the run ended or does not answer.
    """
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(
            "another process of this run stopped, or cannot be reached: see what it said "
            f"({str(error).splitlines()[0][:200]})"
        ) from None


@contextmanager
def under_torchrun() -> Iterator[Processes]:
    """The processes that `torchrun` started, for as long as they work together; without it, alone.

    Of all that fail, which one failure soon makes of them, only the first says so: for the others
    SystemExit takes the place of their error.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    store, rank, size = next(iter(dist.rendezvous("env://", timeout=_PATIENCE)))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        yield Processes(rank, size, int(os.environ.get("LOCAL_RANK", "0")))
    except Exception:
        if _is_first_to_fail(store):
            raise
        raise SystemExit(2) from None
    with others_alive():
        dist.barrier()  # who left while another still talks would be ended by gloo's threads
    dist.destroy_process_group()


def _is_first_to_fail(store: Any) -> bool:
    try:
        return bool(store.add("cove/failed", 1) == 1)
    except RuntimeError:  # the store went with the first process of a run by hand
        return True
