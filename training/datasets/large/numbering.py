"""From external ids to numbers, and from one table to parts of it, each of consecutive users."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from training.datasets.large.source import ROW, Source

ROWS_IN_PART = 1 << 21
"""Interactions that are sorted together: about 40 MiB, and several times as much while they are."""


class Numbered(NamedTuple):
    """Rows as numbers of users and items, each in the order of the sorted ids."""

    users: pl.Series
    """Ids of the users with enough rows to be kept, ascending; so are `items`."""
    items: pl.Series
    source_users: int
    source_items: int
    parts: list[Path]
    """Folders of IPC files of `user_id`, `item_id` (numbers), `source_row` and perhaps `order`; a
    user's rows are in one part, and earlier parts have smaller users."""


def number_rows(source: Source, least: int, folder: Path) -> Numbered:
    """Number the ids of users and items with at least `least` chosen rows, and part those rows.

    Repeated pairs still count here, so that nothing is left out which the core might keep.
    """
    users, items = (_counted(source.frame, name) for name in ("user_id", "item_id"))
    kept_users, kept_items = (
        one.filter(pl.col("rows") >= max(1, least)).with_row_index("number")
        for one in (users, items)
    )
    parts = ((pl.col("rows").cum_sum() - 1) // ROWS_IN_PART).cast(pl.UInt32)
    columns = {"user_id": "user_id_number", "item_id": "item_id_number", ROW: ROW}
    columns |= {"order": "order"} if source.has_order else {}
    rows = (
        source.frame.filter("chosen")
        .join(_numbers(kept_users, "user_id", part=parts), on="user_id")
        .join(_numbers(kept_items, "item_id"), on="item_id")
        .select("part", **{name: pl.col(column) for name, column in columns.items()})
    )
    return Numbered(
        kept_users["user_id"],
        kept_items["item_id"],
        users.height,
        items.height,
        spread(rows, "part", folder),
    )


def spread(rows: pl.LazyFrame, key: str, folder: Path) -> list[Path]:
    """Write rows, as they come, to a folder for each value of a column of whole numbers; gives the
    folders by that number, ascending. `PartitionBy` is unstable in Polars: this is its one use."""
    rows.sink_ipc(
        pl.PartitionBy(folder, key=key, include_key=False), mkdir=True, engine="streaming"
    )
    return sorted(folder.glob(f"{key}=*"), key=lambda one: int(one.name.removeprefix(f"{key}=")))


def read_spread(folder: Path) -> pl.DataFrame:
    """All rows that `spread` wrote to one folder, in any order."""
    return pl.read_ipc(folder / "*.ipc")


def _counted(frame: pl.LazyFrame, name: str) -> pl.DataFrame:
    """Every id, ascending, and how many of its rows are chosen."""
    counts = frame.group_by(name).agg(rows=pl.col("chosen").sum().cast(pl.UInt64))
    return counts.collect(engine="streaming").sort(name)


def _numbers(ids: pl.DataFrame, name: str, **more: pl.Expr) -> pl.LazyFrame:
    return ids.lazy().select(name, pl.col("number").alias(f"{name}_number"), **more)
