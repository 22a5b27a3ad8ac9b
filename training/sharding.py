"""Embedding tables whose rows lie in several processes: `Shard(0)` of PyTorch's DTensor.

A process holds its rows of each table, their gradients and Adam's moments, and no others. DTensor
says where rows lie, deals them out, gathers them, and lets another number of processes read a
checkpoint. It does not look them up: its own lookup would make a dense gradient of the whole table
in every process. Here ids travel to where the rows are, rows travel back, and gradients after them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from cove.errors import SettingsError
from cove.recommenders import Recommender
from cove.row_table import RowTable
from training.optimisation import TrainingSettings
from training.parallel import Processes, others_alive


@dataclass(frozen=True)
class RowShards:
    """Where the rows of a table lie: as many in each process, the last may have fewer."""

    num_rows: int
    processes: Processes

    @property
    def rows_each(self) -> int:
        """Rows of every process but the last."""
        return -(-self.num_rows // self.processes.size)

    @property
    def first_row(self) -> int:
        """See `cove.row_table.Shards`."""
        return self.processes.rank * self.rows_each

    def look_up(self, own_rows: Tensor, ids: Tensor, sparse: bool) -> Tensor:
        """See `cove.row_table.Shards`."""
        wanted, processes = ids.flatten(), self.processes
        owners = wanted // self.rows_each
        order = owners.argsort(stable=True)
        asked = torch.bincount(owners, minlength=processes.size)
        to_ask, to_give = asked.tolist(), processes.exchange_evenly(asked).tolist()
        asked_for = processes.exchange(wanted[order], to_ask, to_give)
        given = F.embedding(asked_for - self.first_row, own_rows, sparse=sparse)
        found = processes.exchange(given, to_give, to_ask)
        rows = torch.zeros_like(found).index_copy(0, order, found)
        return rows.view(*ids.shape, rows.shape[1])

    def distributed(self, own_rows: Tensor) -> DTensor:
        """The table of which this process has `own_rows`, or Adam's moments of it."""
        shape = torch.Size((self.num_rows, *own_rows.shape[1:]))
        mesh = init_device_mesh(own_rows.device.type, (self.processes.size,))
        return DTensor.from_local(
            own_rows, mesh, [Shard(0)], run_check=False, shape=shape, stride=own_rows.stride()
        )


def check_sharding(recommender: Recommender, settings: TrainingSettings) -> None:
    """Refuse to shard what cannot be.

    Raises:
        SettingsError: `rows` for a recommender whose steps take whole tables.
    """
    if settings.embedding_sharding == "rows" and not recommender.looks_up_by_id:
        raise SettingsError(
            "embedding_sharding=rows is not for this recommender: each of its steps takes the "
            "whole table"
        )


def shard_tables(module: nn.Module, processes: Processes) -> None:
    """Leave each process its rows of the first one's tables, all that are looked up by id; a
    process alone keeps them whole. Before there is an optimiser."""
    if processes.size == 1:
        return
    for table in (each for each in module.modules() if isinstance(each, RowTable)):
        whole = table.weight.detach()
        mesh = init_device_mesh(whole.device.type, (processes.size,))
        with others_alive():
            own_rows = distribute_tensor(whole, mesh, [Shard(0)]).to_local()
        table.weight, table.shards = nn.Parameter(own_rows), RowShards(len(whole), processes)


def sharded_tables(module: nn.Module) -> dict[str, tuple[RowTable, RowShards]]:
    """The tables that are sharded, each by the name of its parameter, and where their rows lie."""
    return {
        f"{name}.weight".removeprefix("."): (each, each.shards)
        for name, each in module.named_modules()
        if isinstance(each, RowTable) and isinstance(each.shards, RowShards)
    }


def gather_tables(module: nn.Module) -> None:
    """Give every process all rows of all tables; all processes do so together."""
    for table, shards in sharded_tables(module).values():
        with others_alive():
            whole = shards.distributed(table.weight.detach()).full_tensor()
        table.weight, table.shards = nn.Parameter(whole), None


@contextmanager
def whole_tables(module: nn.Module) -> Iterator[None]:
    """Every process has all rows for a while, for what looks at all of them; changes are lost."""
    sharded = [(table, table.weight, shards) for table, shards in sharded_tables(module).values()]
    gather_tables(module)
    try:
        yield
    finally:
        for table, own_rows, shards in sharded:
            table.weight, table.shards = own_rows, shards
        if sharded:
            module.train(module.training)  # a recommender forgets what it kept of the whole tables
