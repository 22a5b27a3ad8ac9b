"""A table whose rows are looked up by index, whether it lies in one process or in several."""

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn


class Shards(Protocol):
    """Knows which process holds which rows of a table."""

    @property
    def first_row(self) -> int:
        """The first of those that this process holds; they lie together."""

    def look_up(self, own_rows: Tensor, ids: Tensor, sparse: bool) -> Tensor:
        """Rows [..., D] of ids [...] int64, wherever they lie, with gradients to where they lie.

        own_rows: those that this process holds; sparse: whether their gradient is row-sparse. All
        processes look up together, each its own ids.
        """


class RowTable(nn.Module):
    """Rows, [number of ids, D], in `weight`; of a sharded table this process's rows alone."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(rows)
        self.sparse_gradients = False
        """Whether `look_up` gives the table a row-sparse gradient, of the looked-up rows alone: for
        tables so large that an optimiser should not touch them whole. `whole` gives a dense one."""
        self.shards: Shards | None = None
        """Where the rows lie; None: all are here."""

    @property
    def is_by_id(self) -> bool:
        """Whether a training step should look up what it needs, and leave the whole table alone."""
        return self.sparse_gradients or self.shards is not None

    def look_up(self, ids: Tensor) -> Tensor:
        """Rows of ids: [...] int64 -> [..., D]."""
        if self.shards is not None:
            return self.shards.look_up(self.weight, ids, self.sparse_gradients)
        return F.embedding(ids, self.weight, sparse=self.sparse_gradients)

    def whole(self) -> Tensor:
        """All rows, [number of ids, D].

        Raises:
            RuntimeError: this process has only some of them.
        """
        if self.shards is not None:
            raise RuntimeError("the table lies in several processes: gather its rows first")
        return self.weight
