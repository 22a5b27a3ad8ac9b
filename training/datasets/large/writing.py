"""From parted interactions to the files of a prepared folder (`training.datasets.prepared`)."""

from pathlib import Path

import numpy as np
import polars as pl
import torch
from safetensors.torch import save
from torch import Tensor

from cove.vocabulary import NUM_SPECIAL, PAD, pack_vocabulary
from training.datasets.files import digest_of
from training.datasets.grouping import Indices
from training.datasets.large.holding_out import Parted
from training.datasets.large.numbering import read_spread, spread
from training.datasets.large.source import ROW
from training.datasets.prepared import SEEN, SHARDS, TABLES


def write_files(
    folder: Path, scratch: Path, parted: Parted, users: pl.Series, items: pl.Series
) -> dict[str, str]:
    """Write all files but the manifest; gives the sha256 of each.

    users: the ids of those that are kept, ascending; items: those of `parted.of_items`, likewise.
    """
    trained = parted.of_items > 0
    indices = np.where(trained, np.cumsum(trained) - 1 + NUM_SPECIAL, PAD)  # of the items' numbers
    starts = np.zeros(NUM_SPECIAL + len(users) + 1, dtype=np.int64)
    starts[NUM_SPECIAL + 1 :] = np.cumsum(parted.of_users)
    held_out = {
        f"{split}_{name}": part
        for split in ("valid", "test")
        for name, part in _held_out(getattr(parted, split), indices).items()
    }
    tables = {
        "starts": torch.from_numpy(starts),
        "popularity": torch.from_numpy(parted.of_items[trained]),
    }
    (folder / TABLES).write_bytes(save(tables | held_out))
    for entity, ids in (("user", users), ("item", items.filter(pl.Series(trained)))):
        (folder / f"{entity}_ids.safetensors").write_bytes(save(pack_vocabulary(ids)))
    _write_seen(folder / SEEN, parted, indices, starts)
    _write_shards(folder / SHARDS, scratch, parted, indices)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in files}


def _held_out(rows: pl.DataFrame, indices: Indices) -> dict[str, Tensor]:
    return {
        "users": torch.from_numpy(rows["user_id"].to_numpy().astype(np.int64) + NUM_SPECIAL),
        "items": torch.from_numpy(indices[rows["item_id"].to_numpy()]),
    }


def _write_seen(path: Path, parted: Parted, indices: Indices, starts: Indices) -> None:
    """Write the keys that `UnseenItems` has of all training interactions, users ascending."""
    seen = np.lib.format.open_memmap(path, "w+", np.int64, (int(starts[-1]),))
    num_items, written = int((parted.of_items > 0).sum()), 0
    for file in parted.files:
        rows = pl.read_ipc(file, columns=["user_id", "item_id"]).sort("user_id", "item_id")
        users = rows["user_id"].to_numpy().astype(np.int64) + NUM_SPECIAL
        before = np.arange(written, written + len(users)) - starts[users]
        places = indices[rows["item_id"].to_numpy()] - NUM_SPECIAL
        seen[written : written + len(users)] = users * num_items + places - before
        written += len(users)
    seen.flush()


def _write_shards(folder: Path, scratch: Path, parted: Parted, indices: Indices) -> None:
    """Deal the interactions out among the shards; each has its users in ascending order, and of a
    user the order of the source."""
    folder.mkdir()
    rows = pl.scan_ipc(parted.files)
    for number, part in enumerate(spread(rows, "shard", scratch)):
        shard = read_spread(part).sort("user_id", ROW)
        pl.DataFrame({
            "user": shard["user_id"] + NUM_SPECIAL,
            "item": pl.Series(indices[shard["item_id"].to_numpy()], dtype=pl.Int32),
        }).write_parquet(folder / f"{number}.parquet")  # fmt: skip
