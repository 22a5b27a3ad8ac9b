"""Which interactions are held out, and the rest in shards that are each a random share of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from training.datasets.grouping import Indices
from training.datasets.large.selecting import Core
from training.datasets.large.source import ROW
from training.datasets.splitting import LEAST_TO_TEST, last_two, nobody_to_test

ROWS_IN_SHARD = 1 << 22
"""Training interactions that are shuffled together: 150 MiB, with a negative each, in training."""


class Parted(NamedTuple):
    """Interactions that are kept, users numbered anew among those that are."""

    files: list[Path]
    """IPC files of training interactions: `user_id`, `item_id`, `source_row`, and the number of the
    `shard` that each goes to; users ascend from file to file."""
    valid: pl.DataFrame
    """`user_id`, `item_id`, one of each held-out user, in the order of the source."""
    test: pl.DataFrame
    num_items: int
    """Distinct ones among all that are kept."""
    of_users: Indices
    """Training interactions of each user that is kept."""
    of_items: Indices
    """Those of each item, kept or not."""


def hold_out(
    files: Sequence[Path], core: Core, most: int, seed: int, name: str, folder: Path
) -> Parted:
    """Hold out the last two interactions of at most `most` users, 0 for all, drawn by the seed.

    Each file goes when it is read. Where the source has no order the seed draws the two. Users with
    fewer than 3 go to training whole.

    Raises:
        DataError: no user has 3 interactions.
    """
    folder.mkdir()
    places = np.cumsum(core.users) - 1
    held = _draw_users(core.of_users, most, seed, name)
    rows_left = int(core.of_users[core.users].sum()) - 2 * int(held.sum())
    num_shards = max(1, -(-rows_left // ROWS_IN_SHARD))
    of_items = np.zeros(len(core.items), dtype=np.int64)
    written, valid, test = [], [], []
    for number, file in enumerate(files):
        rows = core.of(pl.read_ipc(file))
        file.unlink()
        if rows.is_empty():
            continue
        random = np.random.default_rng((seed, number))
        splits = _split(rows, held, random)
        train = rows[splits.train].with_columns(
            shard=pl.Series(random.integers(num_shards, size=len(splits.train)), dtype=pl.UInt32)
        )
        of_items += np.bincount(train["item_id"], minlength=len(of_items))
        written.append(folder / f"{number}.ipc")
        _renumbered(train, places).write_ipc(written[-1])
        valid.append(_renumbered(rows[splits.valid], places))
        test.append(_renumbered(rows[splits.test], places))
    of_users = core.of_users - 2 * held
    return Parted(
        written,
        pl.concat(valid).sort(ROW),
        pl.concat(test).sort(ROW),
        int(core.items.sum()),
        of_users[core.users],
        of_items,
    )


class _Split(NamedTuple):
    """Positions of rows."""

    train: Indices
    valid: Indices
    test: Indices


def _split(rows: pl.DataFrame, held: npt.NDArray[np.bool_], random: np.random.Generator) -> _Split:
    users = rows["user_id"].to_numpy()
    order = rows["order"].to_numpy() if "order" in rows.columns else random.random(len(rows))
    valid, test = (part[held[users[part]]] for part in last_two(users - users.min(), order))
    kept = np.ones(len(rows), dtype=np.bool_)
    kept[valid] = kept[test] = False
    return _Split(np.flatnonzero(kept), valid, test)


def _draw_users(of_users: Indices, most: int, seed: int, name: str) -> npt.NDArray[np.bool_]:
    """The mask of users that are held out, [U]."""
    enough = np.flatnonzero(of_users >= LEAST_TO_TEST)
    if not len(enough):
        raise nobody_to_test(name)
    if 0 < most < len(enough):
        enough = np.random.default_rng(seed).choice(enough, most, replace=False)
    held = np.zeros(len(of_users), dtype=np.bool_)
    held[enough] = True
    return held


def _renumbered(rows: pl.DataFrame, places: Indices) -> pl.DataFrame:
    users = pl.Series("user_id", places[rows["user_id"].to_numpy()], dtype=pl.Int32)
    return rows.with_columns(users).drop("order", strict=False)
