"""Each pair once, and the k-core, from parts on disk. U users, I items."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from training.datasets.grouping import Indices
from training.datasets.interactions import first_of_each_pair
from training.datasets.large.numbering import read_spread
from training.datasets.large.source import ROW


def keep_first_pairs(parts: Sequence[Path], folder: Path) -> list[Path]:
    """Write each part with its pairs once, in the order of the source, in the place of what it was;
    gives the files."""
    folder.mkdir()
    files = []
    for part in parts:
        files.append(folder / f"{len(files)}.ipc")
        first_of_each_pair(read_spread(part).sort(ROW)).write_ipc(files[-1])
        shutil.rmtree(part)
    return files


class Core(NamedTuple):
    """Who is kept, and with how many interactions."""

    users: npt.NDArray[np.bool_]  # [U]
    items: npt.NDArray[np.bool_]  # [I]
    of_users: Indices  # [U]

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows whose user and item are both kept."""
        user, item = rows["user_id"].to_numpy(), rows["item_id"].to_numpy()
        return rows.filter(pl.Series(self.users[user] & self.items[item]))


def core_of_parts(
    files: Sequence[Path], sizes: tuple[int, int], least: int, tell: Callable[[str], None]
) -> Core:
    """The k-core of pairs in files, as `core_of` gives it of pairs in memory.

    sizes: U and I. Every round reads the numbers of all pairs once, and keeps a count of each user
    and item: rounds of group-bys would give the same for more.
    """
    least = max(1, least)
    users, items = (np.ones(size, dtype=np.bool_) for size in sizes)
    while True:
        of_users, of_items = (np.zeros(size, dtype=np.int64) for size in sizes)
        for file in files:
            pairs = pl.read_ipc(file, columns=["user_id", "item_id"])
            user, item = pairs["user_id"].to_numpy(), pairs["item_id"].to_numpy()
            left = users[user] & items[item]
            _count(of_users, user[left])
            _count(of_items, item[left])
        kept_users, kept_items = of_users >= least, of_items >= least
        if (kept_users == users).all() and (kept_items == items).all():
            return Core(users, items, of_users)
        users, items = kept_users, kept_items
        tell(f"core of {least}: {users.sum():,} users and {items.sum():,} items left")


def _count(counts: Indices, numbers: npt.NDArray[np.uint32]) -> None:
    """Add to [n] counts how often each number stands among `numbers`, which may be a narrow range
    of them."""
    if len(numbers):
        first = int(numbers.min())
        found = np.bincount(numbers - first)
        counts[first : first + len(found)] += found
